//! What is asked for.

use super::filter::Filter;
use super::score::{Scorer, score_at};
use crate::error::{Error, Kind, Result};
use crate::format::Metric;
use crate::limits::DIMENSION_MAX;

/// More hits than this belong into a scan, not into one answer.
pub const K_MAX: usize = 1_000_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// As many numbers as each row has.
    pub vector: Vec<f32>,
    /// Hits wanted, at most [`K_MAX`]; fewer come back when fewer match.
    pub k: usize,
    /// The least similarity of a hit, as `similarity` defines it; `None` takes all.
    pub threshold: Option<f64>,
    /// Conditions on the metadata of a hit.
    pub filter: Option<Filter>,
    /// How vectors are compared.
    pub metric: Metric,
}

/// A query that was checked, in the form in which rows are compared with it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub scorer: Scorer,
    pub k: usize,
    pub score_max: Option<f64>,
    pub filter: Option<Filter>,
}

impl Query {
    pub(super) fn prepare(self) -> Result<Prepared> {
        let dimension = self.vector.len();
        if dimension == 0 || dimension > DIMENSION_MAX {
            let message =
                format!("the vector of the search has {dimension} numbers; 1 to {DIMENSION_MAX} are possible");
            return Err(Error::new(Kind::Dimension, message));
        }
        if self.k > K_MAX {
            return Err(Error::new(Kind::Limit, format!("a search for {} hits; at most {K_MAX} at once", self.k)));
        }
        if let Some(threshold) = self.threshold.filter(|threshold| !threshold.is_finite()) {
            return Err(Error::new(Kind::Unsupported, format!("the threshold of a search cannot be {threshold}")));
        }
        Ok(Prepared {
            score_max: self.threshold.map(|least| score_at(self.metric, least)),
            scorer: Scorer::new(self.metric, self.vector),
            k: self.k,
            filter: self.filter.filter(|filter| !filter.is_empty()),
        })
    }
}
