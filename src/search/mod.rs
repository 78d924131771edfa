//! Exact search: the entries whose vectors are nearest to a query, found by comparing it with every one of them.
//!
//! A [`Search`] is fed rows in any order and from any number of threads (each with a [`Search::part`] of its own,
//! joined at the end); the result depends on the rows only, never on their order or on how they were shared out. It
//! reads no file and knows no store: whoever feeds it decides what a row is.
//!
//! # Scores
//!
//! As ruvector gives them: a score is a **distance, and smaller is nearer**.
//!
//! | metric | score | ruvector differs |
//! |---|---|---|
//! | cosine | 1 - cos, from 0 to 2; 1 where either vector is all zeros | gives 0, the best of all, for zeros |
//! | euclidean | the L2 distance | |
//! | dot | minus the inner product | gives 0 for all that is below 0, and so cannot rank them |
//! | manhattan | the L1 distance | |
//!
//! Equal scores stand in the order of their sequence numbers. A score that is no finite number (a vector with NaN or
//! Infinity in it) is Infinity and comes last; finite vectors always have a finite score, however large or small their
//! numbers are. The same rows give the same bits on the same machine; machines with other vector instructions may
//! differ in the last digits of an `f32`.
//!
//! # Filter, threshold, k
//!
//! The filter decides before `k` does: `k` results come back when that many match. (ruvector takes `k` first, and what
//! the filter removes is missing.) The threshold is the documented least similarity, see [`similarity`]; ruvector
//! ignores it.

mod filter;
mod kernel;
mod query;
mod run;
mod score;
mod top;

pub use filter::Filter;
pub use query::{K_MAX, Query};
pub use run::Search;
pub use score::similarity;
pub use top::Hit;

#[cfg(test)]
mod tests;
