//! A search against a simple model in `f64`: same hits, same scores, same order, however the rows come in.
//!
//! Most rows are small whole numbers, whose sums an `f32` holds exactly: there the model must agree to the last bit,
//! and ties are frequent.

use super::kernel::{Kernel, exact};
use super::*;
use crate::error::{Error, Kind};
use crate::format::Metric;
use crate::workers::InOrder;
use std::sync::Arc;

const METRICS: [Metric; 4] = [Metric::Cosine, Metric::Euclidean, Metric::Dot, Metric::Manhattan];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn whole(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.below(9) as f32 - 4.0).collect()
    }

    fn real(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

fn model_score(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    let dot: f64 = pairs().map(|(x, y)| x * y).sum();
    match metric {
        Metric::Euclidean => pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt(),
        Metric::Manhattan => pairs().map(|(x, y)| (x - y).abs()).sum(),
        Metric::Dot => 0.0 - dot,
        Metric::Cosine => {
            let norms: f64 = pairs().map(|(x, _)| x * x).sum::<f64>() * pairs().map(|(_, y)| y * y).sum::<f64>();
            if norms == 0.0 { 1.0 } else { (1.0 - dot / norms.sqrt()).clamp(0.0, 2.0) }
        }
    }
}

/// All rows that match, nearest first.
fn model(metric: Metric, query: &[f32], rows: &[Vec<f32>], matches: impl Fn(usize) -> bool) -> Vec<(u64, f64)> {
    let matching = rows.iter().enumerate().filter(|(row, _)| matches(*row));
    let mut all: Vec<_> = matching.map(|(row, v)| (row as u64, model_score(metric, query, v))).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all
}

fn query(metric: Metric, vector: &[f32], k: usize) -> Query {
    Query { vector: vector.to_vec(), k, threshold: None, filter: None, metric }
}

fn none() -> crate::error::Result<Option<&'static str>> {
    Ok(None)
}

fn run(query: Query, rows: &[Vec<f32>]) -> Vec<(u64, f64)> {
    let mut search = Search::new(query).unwrap();
    for (row, vector) in rows.iter().enumerate() {
        search.offer(row as u64, vector, none).unwrap();
    }
    pairs(search)
}

fn pairs(search: Search) -> Vec<(u64, f64)> {
    search.finish().into_iter().map(|hit| (hit.sequence, hit.score)).collect()
}

#[test]
fn hits_are_those_of_the_model_in_every_dimension() {
    let mut random = Random(1);
    for dimension in (1..=70).chain([96, 127, 128, 129, 384]) {
        let rows: Vec<Vec<f32>> = (0..60).map(|_| random.whole(dimension)).collect();
        let asked = random.whole(dimension);
        for metric in METRICS {
            let all = model(metric, &asked, &rows, |_| true);
            for k in [0, 1, 7, 60, 61, K_MAX] {
                let expected = &all[..k.min(60)];
                assert_eq!(run(query(metric, &asked, k), &rows), expected, "{metric:?} {dimension} {k}");
            }
        }
    }
}

#[test]
fn scores_of_real_numbers_are_close_to_the_model() {
    let mut random = Random(2);
    for dimension in [1, 3, 17, 64, 384, 1_536, 4_099] {
        let rows: Vec<Vec<f32>> = (0..50).map(|_| random.real(dimension)).collect();
        let asked = random.real(dimension);
        for metric in METRICS {
            let found = run(query(metric, &asked, 50), &rows);
            assert!(found.is_sorted_by(|a, b| a.1 <= b.1));
            for (row, score) in found {
                let expected = model_score(metric, &asked, &rows[row as usize]);
                let tolerance = 1e-6 * expected.abs().max((dimension as f64).sqrt());
                assert!((score - expected).abs() <= tolerance, "{metric:?} {dimension}: {score} for {expected}");
            }
        }
    }
}

#[test]
fn order_and_threads_do_not_change_the_result() {
    let mut random = Random(3);
    let rows: Arc<Vec<Vec<f32>>> = Arc::new((0..2_000).map(|_| random.whole(6)).collect());
    let asked = random.whole(6);
    for metric in METRICS {
        let expected = model(metric, &asked, &rows, |_| true)[..40].to_vec();
        let mut backwards = Search::new(query(metric, &asked, 40)).unwrap();
        for (row, vector) in rows.iter().enumerate().rev() {
            backwards.offer(row as u64, vector, none).unwrap();
        }
        assert_eq!(pairs(backwards), expected);

        let mut whole = Search::new(query(metric, &asked, 40)).unwrap();
        let mut pool = InOrder::new("search").unwrap();
        let mut parts = Vec::new();
        for piece in 0..9_usize {
            let (mut part, rows) = (whole.part(), rows.clone());
            let work = move || {
                let range = piece * 230..((piece + 1) * 230).min(rows.len());
                range.for_each(|row| part.offer(row as u64, &rows[row], none).unwrap());
                part
            };
            parts.extend(pool.push(work).unwrap());
        }
        while let Some(part) = pool.pop().unwrap() {
            parts.push(part);
        }
        parts.into_iter().rev().for_each(|part| whole.join(part));
        assert_eq!(pairs(whole), expected);
    }
}

#[test]
fn a_threshold_is_the_least_similarity() {
    let mut random = Random(4);
    let rows: Vec<Vec<f32>> = (0..300).map(|_| random.whole(8)).collect();
    let asked = random.whole(8);
    for metric in METRICS {
        let all = model(metric, &asked, &rows, |_| true);
        for threshold in [-5.0, 0.0, 0.05, 0.25, 0.5, 0.999, 1.0, 7.0] {
            let expected: Vec<_> =
                all.iter().copied().filter(|(_, score)| similarity(metric, *score) >= threshold).collect();
            let found = run(Query { threshold: Some(threshold), ..query(metric, &asked, 300) }, &rows);
            assert_eq!(found, expected, "{metric:?} {threshold}");
        }
    }
}

#[test]
fn a_filter_decides_before_k_however_many_it_lets_pass() {
    let mut random = Random(5);
    let rows: Vec<Vec<f32>> = (0..4_000).map(|_| random.whole(96)).collect();
    let asked = random.whole(96);
    // Long metadata makes the filter dear, short metadata cheap; a share of one in `share` passes.
    for (share, padding) in [(1, 0), (2, 0), (50, 0), (50, 400), (1_000, 0), (1_000, 400), (5_000, 0)] {
        let metadata = |row: usize| format!(r#"{{"pad":"{}","share":{}}}"#, "x".repeat(padding), row % share);
        for metric in METRICS {
            let all = model(metric, &asked, &rows, |row| row % share == share - 1);
            for (k, threshold) in [(3, None), (10_000, None), (10_000, Some(0.02))] {
                let filter = Some(Filter::parse(&format!(r#"{{"share":{}}}"#, share - 1)).unwrap());
                let asked = Query { filter, threshold, ..query(metric, &asked, k) };
                let mut search = Search::new(asked).unwrap();
                for (row, vector) in rows.iter().enumerate() {
                    search.offer(row as u64, vector, || Ok(Some(metadata(row)))).unwrap();
                }
                let within = |hit: &&(u64, f64)| threshold.is_none_or(|least| similarity(metric, hit.1) >= least);
                let expected: Vec<_> = all.iter().filter(within).take(k).copied().collect();
                assert_eq!(pairs(search), expected, "{metric:?} {share} {padding} {k}");
            }
        }
    }
}

#[test]
fn metadata_is_asked_for_only_where_it_decides() {
    let mut plain = Search::new(query(Metric::Euclidean, &[0.0], 1)).unwrap();
    let never = || -> crate::error::Result<Option<&str>> { panic!("not asked for") };
    plain.offer(0, &[1.0], never).unwrap();
    let empty = Some(Filter::parse("{}").unwrap());
    let mut all = Search::new(Query { filter: empty, ..query(Metric::Euclidean, &[0.0], 1) }).unwrap();
    all.offer(0, &[1.0], never).unwrap();

    let filter = Some(Filter::parse(r#"{"a":1}"#).unwrap());
    let mut search = Search::new(Query { filter, ..query(Metric::Euclidean, &[0.0], 1) }).unwrap();
    search.offer(0, &[1.0], || Ok(Some(r#"{"a":1}"#))).unwrap();
    search.offer(1, &[2.0], never).unwrap();
    let failed = search.offer(2, &[0.5], || Err::<Option<&str>, _>(Error::new(Kind::Checksum, "planted")));
    assert_eq!(failed.unwrap_err().kind, Kind::Checksum);
    assert_eq!(search.offer(3, &[0.5], || Ok(Some("{"))).unwrap_err().kind, Kind::Corrupt);
    assert_eq!(pairs(search), [(0, 1.0)]);
}

#[test]
fn what_has_no_finite_score_comes_last() {
    for metric in METRICS {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN];
        let mut rows: Vec<Vec<f32>> = bad.iter().map(|bad| vec![1.0, *bad, 0.0]).collect();
        rows.push(vec![-3.0e38, -3.0e38, -3.0e38]);
        rows.push(vec![1.0, 2.0, 3.0]);
        let found = run(query(metric, &[1.0, 1.0, 1.0], 9), &rows);
        let sequences: Vec<u64> = found.iter().map(|hit| hit.0).collect();
        assert_eq!(sequences, [5, 4, 0, 1, 2, 3], "{metric:?}");
        assert!(found[1].1.is_finite() && found[2..].iter().all(|hit| hit.1 == f64::INFINITY), "{found:?}");
        let within = run(Query { threshold: Some(-1e300), ..query(metric, &[1.0, 1.0, 1.0], 9) }, &rows);
        assert_eq!(within, found[..2], "what has no score is within no threshold");
        let blind = run(query(metric, &[f32::NAN, 0.0, 0.0], 2), &rows);
        assert_eq!(blind, [(0, f64::INFINITY), (1, f64::INFINITY)]);
    }
}

#[test]
fn vectors_of_very_large_and_very_small_numbers_are_ranked() {
    for scale in [1e-40_f32, 1e-30, 1e-20, 1e18, 1e37] {
        let rows: Vec<Vec<f32>> =
            [[3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [-2.0, 1.0]].map(|row| row.map(|x: f32| x * scale).to_vec()).into();
        let asked = [scale, scale * 2.0];
        for metric in METRICS {
            let all = model(metric, &asked, &rows, |_| true);
            for ((row, score), (expected, exact)) in run(query(metric, &asked, 9), &rows).into_iter().zip(all) {
                assert_eq!(row, expected, "{metric:?} {scale}");
                assert!((score - exact).abs() <= 1e-6 * exact.abs().max(f64::from(scale)), "{metric:?} {scale}");
            }
        }
    }
}

#[test]
fn equal_and_zero_vectors_have_exact_cosine_distances() {
    let mut random = Random(6);
    for dimension in 1..100 {
        let vector = random.real(dimension);
        let opposite: Vec<f32> = vector.iter().map(|x| -x).collect();
        let found = run(query(Metric::Cosine, &vector, 3), &[vec![0.0; dimension], opposite, vector.clone()]);
        assert_eq!(found, [(2, 0.0), (0, 1.0), (1, 2.0)], "{dimension}");
    }
    assert_eq!(run(query(Metric::Cosine, &[0.0, 0.0], 1), &[vec![1.0, 0.0]]), [(0, 1.0)]);
    let dots = run(query(Metric::Dot, &[1.0, -1.0], 2), &[vec![0.0, 0.0], vec![1.0, 1.0]]);
    assert!(dots.iter().all(|hit| hit.1.to_bits() == 0), "no score is -0: {dots:?}");
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let refused = |query: Query| Search::new(query).unwrap_err().kind;
    assert_eq!(refused(query(Metric::Dot, &[], 1)), Kind::Dimension);
    assert_eq!(refused(query(Metric::Dot, &vec![0.0; 65_537], 1)), Kind::Dimension);
    assert_eq!(refused(query(Metric::Dot, &[1.0], K_MAX + 1)), Kind::Limit);
    assert_eq!(refused(Query { threshold: Some(f64::NAN), ..query(Metric::Dot, &[1.0], 1) }), Kind::Unsupported);
    let mut search = Search::new(query(Metric::Dot, &[1.0], 1)).unwrap();
    assert_eq!(search.offer(0, &[1.0, 2.0], none).unwrap_err().kind, Kind::Dimension);
    assert!(search.finish().is_empty());
}

/// The best `k` do not depend on what `k` is: memory follows what is found.
#[test]
fn a_large_k_allocates_for_what_is_found_only() {
    let mut search = Search::new(query(Metric::Manhattan, &[0.0], K_MAX)).unwrap();
    for row in 0..100_000_u64 {
        search.offer(row, &[(row * 7_919 % 100_003) as f32], none).unwrap();
    }
    let found = pairs(search);
    assert_eq!(found.len(), 100_000);
    assert!(found.is_sorted_by(|a, b| a.1 < b.1));
}

/// Every kind of vector instructions that this processor has, not only the best.
#[test]
fn kernels_of_every_level_agree_with_exact_sums() {
    let mut random = Random(7);
    for kernel in Kernel::all() {
        for length in (0..200).chain([384, 1_000]) {
            let (a, b) = (random.whole(length), random.whole(length));
            let sums = [kernel.dot(&a, &b), kernel.squared_distance(&a, &b), kernel.absolute_distance(&a, &b)];
            let expected = [exact::dot(&a, &b), exact::squared_distance(&a, &b), exact::absolute_distance(&a, &b)];
            assert_eq!(sums.map(f64::from), expected, "{kernel:?} {length}");
            let (product, norm) = kernel.cosine(&a, &b);
            assert_eq!((f64::from(product), f64::from(norm)), (expected[0], exact::dot(&b, &b)), "{kernel:?} {length}");
            let real = random.real(length);
            assert_eq!(kernel.dot(&real, &real).to_bits(), kernel.cosine(&real, &real).1.to_bits());
        }
    }
}
