//! Search: the entries of a version that are nearest to a vector, compared with every one of them.
//!
//! A large version is split into ranges of rows that all cores work on; a small one is searched on the caller's thread,
//! because threads cost more than they save there. The answer is the same either way. Only the hits are read whole.

use crate::error::{Error, Kind, Result};
use crate::search::{Filter, Hit, Query, Search};
use crate::store::{Cursor, RowView, Version};
use crate::workers::{self, InOrder};
use std::ops::Range;
use std::sync::Arc;

/// Below so many numbers to compare one thread is faster than several.
const NUMBERS_FOR_THREADS: usize = 2 << 20;
/// Ranges for each core: enough that no core waits long for the others at the end.
const RANGES_PER_CORE: usize = 4;
/// Vectors in one answer take at most so many bytes; more belongs into a scan.
const VECTOR_BYTES_MAX: usize = 1 << 30;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// As many numbers as the collection's vectors have.
    pub vector: Vec<f32>,
    /// Hits wanted.
    pub k: usize,
    /// The least similarity of a hit.
    pub threshold: Option<f64>,
    /// Conditions on the metadata of a hit.
    pub filter: Option<Filter>,
    /// Whether the vectors of the hits are wanted.
    pub vectors: bool,
    /// Whether their metadata are wanted.
    pub metadata: bool,
}

/// The hits, nearest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Ids.
    pub ids: Vec<String>,
    /// Distances: smaller is nearer.
    pub scores: Vec<f64>,
    /// Vectors, one after another, when they were asked for.
    pub vectors: Vec<f32>,
    /// JSON texts, when they were asked for.
    pub metadata: Vec<Option<String>>,
}

/// Searches a version.
pub fn run(version: &Version, request: Request) -> Result<Found> {
    let Request { vector, k, threshold, filter, vectors, metadata } = request;
    let known = version.description();
    let dimension = vector.len();
    if let Some(due) = known.dimension.filter(|due| *due != dimension) {
        let message = format!("the vector of the search has {dimension} numbers, the collection has {due}");
        return Err(Error::new(Kind::Dimension, message));
    }
    let metric = known.metric.ok_or_else(|| {
        Error::new(Kind::Metric, "the collection has no metric, so nothing can be compared: say which it is")
    })?;
    if vectors && k.min(version.len()).saturating_mul(dimension * 4) > VECTOR_BYTES_MAX {
        let message = format!("the vectors of {k} hits take more than {VECTOR_BYTES_MAX} bytes; ask for fewer");
        return Err(Error::new(Kind::Limit, message));
    }
    let hits = nearest(version, Query { vector, k, threshold, filter, metric })?;
    let mut found = Found::default();
    for Hit { sequence, score } in hits {
        let place = sequence as Cursor;
        version.scan(place, place + 1, |_, row: RowView<'_>| {
            found.ids.push(row.id.to_owned());
            found.scores.push(score);
            if vectors {
                found.vectors.extend_from_slice(row.vector);
            }
            if metadata {
                found.metadata.push(row.metadata.map(str::to_owned));
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn nearest(version: &Version, query: Query) -> Result<Vec<Hit>> {
    let numbers = version.len().saturating_mul(query.vector.len());
    let search = Search::new(query)?;
    if numbers < NUMBERS_FOR_THREADS || workers::cores() == 1 {
        return on_one_thread(version, search);
    }
    on_all_cores(version, search)
}

fn scan(version: &Version, rows: Range<Cursor>, search: &mut Search) -> Result<()> {
    version.scan_vectors(rows.start, rows.end, |place, vector, metadata| search.offer(place as u64, vector, metadata))
}

fn on_one_thread(version: &Version, mut search: Search) -> Result<Vec<Hit>> {
    scan(version, 0..version.end(), &mut search)?;
    Ok(search.finish())
}

fn on_all_cores(version: &Version, mut search: Search) -> Result<Vec<Hit>> {
    let version = Arc::new(version.clone());
    let end = version.end();
    let step = end.div_ceil(workers::cores() * RANGES_PER_CORE).max(1);
    let mut pool = InOrder::new("search")?;
    for start in (0..end).step_by(step) {
        let (version, mut part) = (version.clone(), search.part());
        let work = move || scan(&version, start..(start + step).min(end), &mut part).map(|()| part);
        if let Some(done) = pool.push(work)? {
            search.join(done?);
        }
    }
    while let Some(done) = pool.pop()? {
        search.join(done?);
    }
    Ok(search.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Description, Metric};
    use crate::store::{Collection, MetadataRule};

    const DIMENSION: usize = 4;

    /// Rows in a sealed part and in the memtable, with gaps in both.
    fn version(rows: u32) -> Version {
        let known = Description { dimension: Some(DIMENSION), metric: Some(Metric::Euclidean) };
        let mut collection = Collection::new(known);
        let put = |collection: &mut Collection, row: u32| {
            let vector: Vec<f32> = (0..DIMENSION as u32).map(|place| (row * 7_919 % 10_007 + place) as f32).collect();
            let metadata = format!(r#"{{"even":{}}}"#, row % 2 == 0);
            collection.put(&format!("id-{row}"), &vector, Some(&metadata), MetadataRule::Replace).unwrap();
        };
        (0..rows / 2).for_each(|row| put(&mut collection, row));
        collection.freeze();
        (rows / 2..rows).for_each(|row| put(&mut collection, row));
        (0..rows).step_by(5).for_each(|row| assert!(collection.delete(&format!("id-{row}")).unwrap()));
        collection.version()
    }

    fn request(k: usize) -> Request {
        let vector = vec![5_000.0, 5_001.0, 5_002.0, 5_003.0];
        Request { vector, k, threshold: None, filter: None, vectors: true, metadata: true }
    }

    fn naive(version: &Version, k: usize) -> Vec<(String, f64)> {
        let mut all: Vec<(usize, String, f64)> = Vec::new();
        for (place, entry) in version.entries().enumerate() {
            let entry = entry.unwrap();
            let query = request(k).vector;
            let sum: f32 = entry.vector.iter().zip(&query).map(|(a, b)| (a - b) * (a - b)).sum();
            all.push((place, entry.id.to_string(), f64::from(sum).sqrt()));
        }
        all.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
        all.into_iter().take(k).map(|(_, id, score)| (id, score)).collect()
    }

    #[test]
    fn one_thread_all_cores_and_the_naive_way_find_the_same() {
        let version = version(3_000);
        let query = |k| {
            let Request { vector, k, .. } = request(k);
            Search::new(Query { vector, k, threshold: None, filter: None, metric: Metric::Euclidean }).unwrap()
        };
        for k in [0, 1, 10, 2_400, 5_000] {
            let one = on_one_thread(&version, query(k)).unwrap();
            assert_eq!(one, on_all_cores(&version, query(k)).unwrap());
            let found = run(&version, request(k)).unwrap();
            let pairs: Vec<_> = found.ids.iter().cloned().zip(found.scores.iter().copied()).collect();
            assert_eq!(pairs, naive(&version, k), "{k}");
            assert_eq!(found.vectors.len(), found.ids.len() * DIMENSION);
            assert_eq!(found.metadata.len(), found.ids.len());
        }
    }

    #[test]
    fn the_filter_decides_before_k_does() {
        let version = version(3_000);
        let filter = Some(Filter::parse(r#"{"even":true}"#).unwrap());
        let found = run(&version, Request { filter, ..request(100) }).unwrap();
        assert_eq!(found.ids.len(), 100);
        assert!(found.metadata.iter().all(|text| text.as_deref() == Some(r#"{"even":true}"#)));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let version = version(10);
        let short = Request { vector: vec![1.0], ..request(1) };
        assert_eq!(run(&version, short).unwrap_err().kind, Kind::Dimension);
        let unknown = Collection::default().version();
        assert_eq!(run(&unknown, request(1)).unwrap_err().kind, Kind::Metric);
    }
}
