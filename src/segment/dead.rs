//! Which rows of a segment are dead: a bitmap in chunks that copies share until one of them changes.
//!
//! A version of a collection holds its own copy; taking one costs a pointer for each 4,096 rows, and a chunk is copied
//! when a row in it dies while somebody else holds it. Rows never come back to life. Knows no file.

use std::sync::Arc;

const CHUNK_WORDS: usize = 64;

/// Rows of one chunk.
const CHUNK_ROWS: u32 = CHUNK_WORDS as u32 * 64;

type Chunk = [u64; CHUNK_WORDS];

/// The dead rows of one segment.
#[derive(Debug, Clone)]
pub struct DeadRows {
    rows: u32,
    dead: u32,
    /// `None` where all rows live.
    chunks: Vec<Option<Arc<Chunk>>>,
}

impl DeadRows {
    /// That many rows, all alive.
    pub fn new(rows: u32) -> DeadRows {
        DeadRows { rows, dead: 0, chunks: vec![None; rows.div_ceil(CHUNK_ROWS) as usize] }
    }

    /// From the words of a bitmap, the first row in the lowest bit of the first; bits beyond the rows do not count.
    pub(super) fn from_words(rows: u32, words: &[u64]) -> DeadRows {
        let mut found = DeadRows::new(rows);
        for (number, word) in (0..rows.div_ceil(64)).zip(words) {
            let mut bits = *word;
            while bits != 0 {
                found.kill(number * 64 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
        found
    }

    /// The words of the bitmap, as many as the rows need.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        (0..self.rows.div_ceil(64)).map(|number| self.word(number))
    }

    fn word(&self, number: u32) -> u64 {
        let chunk = self.chunk(number as usize / CHUNK_WORDS);
        chunk.and_then(|chunk| chunk.get(number as usize % CHUNK_WORDS)).copied().unwrap_or(0)
    }

    fn chunk(&self, number: usize) -> Option<&Chunk> {
        self.chunks.get(number)?.as_deref()
    }

    /// Marks a row as dead; `false` when it was dead already, or is none of these rows.
    pub fn kill(&mut self, row: u32) -> bool {
        if row >= self.rows || self.is_dead(row) {
            return false;
        }
        let Some(chunk) = self.chunks.get_mut((row / CHUNK_ROWS) as usize) else { return false };
        let chunk = Arc::make_mut(chunk.get_or_insert_with(|| Arc::new([0; CHUNK_WORDS])));
        let Some(word) = chunk.get_mut((row % CHUNK_ROWS / 64) as usize) else { return false };
        *word |= 1 << (row % 64);
        self.dead += 1;
        true
    }

    /// Whether a row is dead.
    pub fn is_dead(&self, row: u32) -> bool {
        self.word(row / 64) >> (row % 64) & 1 == 1
    }

    /// Rows in all.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Dead rows.
    pub fn dead(&self) -> u32 {
        self.dead
    }

    /// Rows that are not dead.
    pub fn live(&self) -> u32 {
        self.rows - self.dead
    }

    /// Live rows in order, from `row` on.
    pub fn live_from(&self, row: u32) -> impl Iterator<Item = u32> {
        let first = row / 64;
        (first..self.rows.div_ceil(64)).flat_map(move |number| {
            let mut live = !self.word(number);
            if number == first {
                live &= u64::MAX << (row % 64);
            }
            if number == self.rows / 64 {
                live &= (1 << (self.rows % 64)) - 1;
            }
            Bits(live).map(move |bit| number * 64 + bit)
        })
    }

    /// For a segment that was written from this one without the rows that were dead `then`: the numbers there of the rows
    /// that died since, in order. Row r became r less the dead rows before it.
    pub fn died_since(&self, then: &DeadRows) -> impl Iterator<Item = u32> {
        let mut before = 0;
        (0..self.rows.div_ceil(64)).flat_map(move |number| {
            let (dead, new) = (then.word(number), self.word(number) & !then.word(number));
            let dead_before = before;
            before += dead.count_ones();
            Bits(new).map(move |bit| number * 64 + bit - dead_before - (dead & ((1 << bit) - 1)).count_ones())
        })
    }

    /// The dead rows of that segment, when it was written from this one alone.
    pub fn translate(&self, then: &DeadRows) -> DeadRows {
        let mut found = DeadRows::new(then.live());
        for row in self.died_since(then) {
            found.kill(row);
        }
        found
    }
}

/// Equal are those that say the same of as many rows.
impl PartialEq for DeadRows {
    fn eq(&self, other: &DeadRows) -> bool {
        (self.rows, self.dead) == (other.rows, other.dead) && self.words().eq(other.words())
    }
}

impl Eq for DeadRows {}

/// The numbers of the bits of a word that are set.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros())?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(rows: u32, dead: impl Fn(u32) -> bool) -> DeadRows {
        let mut found = DeadRows::new(rows);
        (0..rows).filter(|row| dead(*row)).for_each(|row| assert!(found.kill(row)));
        found
    }

    #[test]
    fn rows_die_once_and_copies_do_not_see_it() {
        for rows in [0, 1, 63, 64, 65, 4_095, 4_096, 4_097, 20_000] {
            let mut dead = DeadRows::new(rows);
            let alive = dead.clone();
            for row in (0..rows).step_by(3) {
                assert!(dead.kill(row) && !dead.kill(row) && dead.is_dead(row));
            }
            assert!(!dead.kill(rows) && !dead.kill(u32::MAX) && !dead.is_dead(u32::MAX));
            assert_eq!((dead.dead(), dead.live(), alive.dead()), (rows.div_ceil(3), rows - rows.div_ceil(3), 0));
            assert_eq!(alive.live_from(0).count() as u32, rows);
            for from in [0, 1, 2, 64, 4_095, 4_096, rows] {
                let due: Vec<u32> = (from..rows).filter(|row| row % 3 != 0).collect();
                assert_eq!(dead.live_from(from).collect::<Vec<_>>(), due, "{rows} from {from}");
            }
            let words: Vec<u64> = dead.words().collect();
            assert_eq!(DeadRows::from_words(rows, &words), dead);
        }
    }

    #[test]
    fn unchanged_chunks_are_shared() {
        let mut dead = some(10_000, |row| row % 5 == 0);
        let before = dead.clone();
        dead.kill(4_097);
        let shared =
            dead.chunks.iter().zip(&before.chunks).map(|(a, b)| Arc::ptr_eq(a.as_ref().unwrap(), b.as_ref().unwrap()));
        assert_eq!(shared.collect::<Vec<_>>(), [true, false, true]);
        assert_ne!(dead, before);
    }

    #[test]
    fn rows_that_died_since_are_found_under_their_new_numbers() {
        for rows in [1, 64, 130, 9_000] {
            let then = some(rows, |row| row % 3 == 1 || row % 64 == 63);
            let now = some(rows, |row| then.is_dead(row) || row % 7 == 0);
            let numbers: Vec<u32> = then.live_from(0).collect();
            let due: Vec<u32> = (0..).zip(&numbers).filter(|(_, row)| now.is_dead(**row)).map(|(new, _)| new).collect();
            assert_eq!(now.died_since(&then).collect::<Vec<_>>(), due);
            let translated = now.translate(&then);
            assert_eq!((translated.rows(), translated.dead()), (then.live(), due.len() as u32));
            assert!(due.iter().all(|row| translated.is_dead(*row)));
            assert_eq!(then.translate(&then), DeadRows::new(then.live()));
        }
    }
}
