//! From sums to scores: what each metric makes of a query and a row, and what similarity means.

use super::kernel::{Kernel, exact};
use crate::format::Metric;

/// Below this an `f32` sum of products may have lost terms that vanished; at and above it they do not matter.
const TRUSTED_MIN: f32 = 1e-30;

/// A query, ready to be compared with rows.
#[derive(Debug, Clone)]
pub(super) struct Scorer {
    kernel: Kernel,
    metric: Metric,
    query: Box<[f32]>,
    /// The square of the query's length as the kernel sees it.
    norm: f32,
}

impl Scorer {
    pub fn new(metric: Metric, query: Vec<f32>) -> Self {
        let kernel = Kernel::new();
        let norm = kernel.dot(&query, &query);
        Scorer { kernel, metric, query: query.into(), norm }
    }

    /// Numbers in the query.
    pub fn dimension(&self) -> usize {
        self.query.len()
    }

    /// The score of a row of the query's dimension: finite, or Infinity.
    pub fn score(&self, row: &[f32]) -> f64 {
        let score = match self.metric {
            Metric::Cosine => self.cosine(row),
            Metric::Euclidean => match self.kernel.squared_distance(&self.query, row) {
                sum if trusted(sum) => f64::from(sum),
                _ => exact::squared_distance(&self.query, row),
            }
            .sqrt(),
            Metric::Dot => -match self.kernel.dot(&self.query, row) {
                sum if trusted(sum.abs()) => f64::from(sum),
                _ => exact::dot(&self.query, row),
            },
            Metric::Manhattan => match self.kernel.absolute_distance(&self.query, row) {
                sum if sum.is_finite() => f64::from(sum),
                _ => exact::absolute_distance(&self.query, row),
            },
        };
        // Adding 0 makes -0 a plain 0, so that both are one score.
        if score.is_finite() { score + 0.0 } else { f64::INFINITY }
    }

    fn cosine(&self, row: &[f32]) -> f64 {
        let (product, norm) = self.kernel.cosine(&self.query, row);
        let (product, norms) = if trusted(self.norm) && trusted(norm) && product.is_finite() {
            (f64::from(product), f64::from(self.norm) * f64::from(norm))
        } else {
            (exact::dot(&self.query, row), exact::dot(&self.query, &self.query) * exact::dot(row, row))
        };
        if norms == 0.0 { 1.0 } else { (1.0 - product / norms.sqrt()).clamp(0.0, 2.0) }
    }
}

fn trusted(sum: f32) -> bool {
    sum.is_finite() && sum >= TRUSTED_MIN
}

/// The similarity that a score stands for; larger is nearer. Cosine: the cosine, from -1 to 1. Dot: the inner product.
/// Euclidean and manhattan: `1 / (1 + distance)`, from 0 to 1.
pub fn similarity(metric: Metric, score: f64) -> f64 {
    match metric {
        Metric::Cosine => 1.0 - score,
        Metric::Dot => -score,
        Metric::Euclidean | Metric::Manhattan => 1.0 / (1.0 + score),
    }
}

/// The largest score whose similarity is at least `least`; negative where there is none.
pub(super) fn score_at(metric: Metric, least: f64) -> f64 {
    match metric {
        Metric::Cosine => 1.0 - least,
        Metric::Dot => -least,
        Metric::Euclidean | Metric::Manhattan if least <= 0.0 => f64::INFINITY,
        Metric::Euclidean | Metric::Manhattan => 1.0 / least - 1.0,
    }
}
