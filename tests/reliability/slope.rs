//! Slope: how fast something grows, by the straight line that fits its samples best.

/// How much one unit of time adds, by least squares over (time, value).
pub(crate) fn slope(samples: &[(f64, f64)]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (mid_time, mid_value) = (mean(|it| it.0), mean(|it| it.1));
    let products = samples
        .iter()
        .map(|(time, value)| (time - mid_time) * (value - mid_value));
    let squares = samples.iter().map(|(time, _)| (time - mid_time).powi(2));
    products.sum::<f64>() / squares.sum::<f64>()
}

/// Panics unless known lines have their slopes.
pub(crate) fn self_test() {
    let near = |samples: &[(f64, f64)], wanted: f64| {
        let found = slope(samples);
        assert!((found - wanted).abs() < 1e-9, "{found} for {samples:?}");
    };
    near(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)], 0.0);
    near(&[(10.0, 1.0), (20.0, 3.0), (30.0, 5.0)], 0.2);
    near(&[(0.0, 1.0), (1.0, 0.0), (2.0, 2.0), (3.0, 1.0)], 0.2);
}
