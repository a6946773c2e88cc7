//! Node set: some of the nodes of a table, a bit for each.

/// Some of the nodes of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NodeSet(Vec<u64>);

impl NodeSet {
    /// None of `count` nodes.
    pub(crate) fn none_of(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub(crate) fn insert(&mut self, node: usize) {
        self.0[node / 64] |= 1 << (node % 64);
    }

    pub(crate) fn contains(&self, node: usize) -> bool {
        self.0[node / 64] & (1 << (node % 64)) != 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// The nodes in the set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let mut rest = *bits;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(word * 64 + bit)
            })
        })
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.with(other, |mine, others| mine & others)
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        self.with(other, |mine, others| mine & !others)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        *self = self.with(other, |mine, others| mine | others);
    }

    fn with(&self, other: &Self, of: impl Fn(u64, u64) -> u64) -> Self {
        let both = self.0.iter().zip(&other.0);
        Self(both.map(|(mine, others)| of(*mine, *others)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_counted_walked_and_compared() {
        let mut even = NodeSet::none_of(130);
        (0..130).step_by(2).for_each(|node| even.insert(node));
        let mut high = NodeSet::none_of(130);
        (125..130).for_each(|node| high.insert(node));
        assert_eq!(even.len(), 65);
        let both = even.and(&high);
        assert_eq!(both.iter().collect::<Vec<_>>(), [126, 128]);
        assert_eq!(
            high.without(&even).iter().collect::<Vec<_>>(),
            [125, 127, 129]
        );
        assert!(even.without(&even).is_empty());
        assert!(even.intersects(&high) && !even.intersects(&high.without(&even)));
        assert!(high.contains(125) && !high.contains(124));
    }
}
