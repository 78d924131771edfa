//! The inner loops: sums over two slices of `f32`, with the widest vector instructions that this processor has.
//!
//! `fearless_simd` chooses at run time between AVX-512, AVX2 with FMA, SSE4.2 and SSE2, or NEON, without `unsafe` here.
//! Each sum is kept in four registers, so that an addition need not wait for the one before it. The order of the
//! additions depends on the length and the processor only: [`Kernel::dot`] of a vector with itself has the same bits as
//! the norm from [`Kernel::cosine`], which is what makes the cosine distance of equal vectors exactly 0.
//!
//! Sums are `f32` and may overflow or vanish: `score` notices and asks [`exact`], which adds in `f64`.

use fearless_simd::{Level, dispatch, prelude::*};

/// Registers for each sum.
const REGISTERS: usize = 4;

/// The vector instructions of this processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    level: Level,
}

impl Kernel {
    /// The best there is; the processor is asked once in the life of the process.
    pub fn new() -> Self {
        Kernel { level: Level::new() }
    }

    /// The inner product. The slices are of one length, here and below: what is longer is not looked at.
    pub fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        dispatch!(self.level, simd => dot(simd, a, b))
    }

    /// The square of the L2 distance.
    pub fn squared_distance(self, a: &[f32], b: &[f32]) -> f32 {
        dispatch!(self.level, simd => squared_distance(simd, a, b))
    }

    /// The L1 distance.
    pub fn absolute_distance(self, a: &[f32], b: &[f32]) -> f32 {
        dispatch!(self.level, simd => absolute_distance(simd, a, b))
    }

    /// The inner product, and the square of the length of `b`.
    pub fn cosine(self, a: &[f32], b: &[f32]) -> (f32, f32) {
        dispatch!(self.level, simd => cosine(simd, a, b))
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let [sum] = fold(
        simd,
        (a, b),
        #[inline(always)]
        |[sum]: [S::f32s; 1], x, y| [x.mul_add(y, sum)],
        #[inline(always)]
        |[sum], x, y| [sum + x * y],
    );
    sum
}

#[inline(always)]
fn squared_distance<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let [sum] = fold(
        simd,
        (a, b),
        #[inline(always)]
        |[sum]: [S::f32s; 1], x, y| [(x - y).mul_add(x - y, sum)],
        #[inline(always)]
        |[sum], x, y| [sum + (x - y) * (x - y)],
    );
    sum
}

#[inline(always)]
fn absolute_distance<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let [sum] = fold(
        simd,
        (a, b),
        #[inline(always)]
        |[sum]: [S::f32s; 1], x, y| [sum + (x - y).abs()],
        #[inline(always)]
        |[sum], x, y| [sum + (x - y).abs()],
    );
    sum
}

#[inline(always)]
fn cosine<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> (f32, f32) {
    let [product, norm] = fold(
        simd,
        (a, b),
        #[inline(always)]
        |[product, norm]: [S::f32s; 2], x, y| [x.mul_add(y, product), y.mul_add(y, norm)],
        #[inline(always)]
        |[product, norm], x, y| [product + x * y, norm + y * y],
    );
    (product, norm)
}

/// `W` sums over both slices: `wide` adds a register of each, `single` what is left at the end.
#[inline(always)]
fn fold<S: Simd, const W: usize>(
    simd: S,
    (a, b): (&[f32], &[f32]),
    wide: impl Fn([S::f32s; W], S::f32s, S::f32s) -> [S::f32s; W],
    single: impl Fn([f32; W], f32, f32) -> [f32; W],
) -> [f32; W] {
    let lanes = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); W]; REGISTERS];
    let (mut a_blocks, mut b_blocks) = (a.chunks_exact(lanes * REGISTERS), b.chunks_exact(lanes * REGISTERS));
    for (x, y) in a_blocks.by_ref().zip(b_blocks.by_ref()) {
        let registers = x.chunks_exact(lanes).zip(y.chunks_exact(lanes));
        for (sum, (x, y)) in sums.iter_mut().zip(registers) {
            *sum = wide(*sum, S::f32s::from_slice(simd, x), S::f32s::from_slice(simd, y));
        }
    }
    let [mut total, others @ ..] = sums;
    let (mut a_rest, mut b_rest) = (a_blocks.remainder().chunks_exact(lanes), b_blocks.remainder().chunks_exact(lanes));
    for (x, y) in a_rest.by_ref().zip(b_rest.by_ref()) {
        total = wide(total, S::f32s::from_slice(simd, x), S::f32s::from_slice(simd, y));
    }
    for sums in others {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    let mut sums = [0.0; W];
    for (sum, register) in sums.iter_mut().zip(total) {
        *sum = register.reduce_sum();
    }
    for (x, y) in a_rest.remainder().iter().zip(b_rest.remainder()) {
        sums = single(sums, *x, *y);
    }
    sums
}

/// The same sums in `f64`, which no product of two `f32` overflows or makes vanish. Slower by far.
pub(super) mod exact {
    fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
        a.iter().zip(b).map(|(x, y)| term(f64::from(*x), f64::from(*y))).sum()
    }

    /// The inner product.
    #[cold]
    pub fn dot(a: &[f32], b: &[f32]) -> f64 {
        sum(a, b, |x, y| x * y)
    }

    /// The square of the L2 distance.
    #[cold]
    pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
        sum(a, b, |x, y| (x - y) * (x - y))
    }

    /// The L1 distance.
    #[cold]
    pub fn absolute_distance(a: &[f32], b: &[f32]) -> f64 {
        sum(a, b, |x, y| (x - y).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kernel {
        /// One for each kind of vector instructions that can be used here.
        pub fn all() -> Vec<Kernel> {
            let level = Level::new();
            #[cfg(target_arch = "x86_64")]
            let others = [
                level.as_avx2().map(Level::Avx2),
                level.as_sse4_2().map(Level::Sse4_2),
                level.as_sse2().map(Level::Sse2),
            ];
            #[cfg(not(target_arch = "x86_64"))]
            let others = [None];
            let levels = others.into_iter().flatten().chain([level]);
            levels.map(|level| Kernel { level }).collect()
        }
    }
}
