//! Split: one input as several: each begins with its length, in two bytes.

/// The parts of `input`, and what is left over as the last one. Missing ones are empty.
pub fn split<const N: usize>(mut input: &[u8]) -> [&[u8]; N] {
    std::array::from_fn(|_| {
        let Some((length, rest)) = input.split_first_chunk() else {
            return std::mem::take(&mut input);
        };
        let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        input = rest;
        part
    })
}
