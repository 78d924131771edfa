//! Decimal digits, eight at a time, and the exact way from f32 to digits and back where 64 bits are enough for it.
//!
//! Both ways answer `None` or nothing where they are not certain; the caller then goes the general way.

use std::hint::select_unpredictable;

/// ASCII zeros.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// How a binary exponent is turned into digits: x = c * 2^q with 2^23 <= c < 2^24.
struct Scale {
    /// 5^n, where n is the smallest for which 10^-n is not above 2^q, the distance of x to its neighbours.
    five: u64,
    /// x * 10^n = c * 5^n / 2^shift.
    shift: u32,
    /// 10^(16 - n).
    pad: u64,
}

/// The smallest biased exponent in `SCALES`: of 2^-20, just below 1e-6.
const FIRST_EXPONENT: u32 = 107;
/// The scales of 2^-20 to 2^-1.
#[expect(clippy::indexing_slicing, reason = "done by the compiler")]
const SCALES: [Scale; 20] = {
    let mut scales = [const { Scale { five: 0, shift: 0, pad: 0 } }; 20];
    let mut index = 0;
    while index < 20 {
        let below = 43 - index as u32;
        let mut n = 0;
        while 10_u64.pow(n) < 1 << below {
            n += 1;
        }
        scales[index] = Scale { five: 5_u64.pow(n), shift: below - n, pad: 10_u64.pow(16 - n) };
        index += 1;
    }
    scales
};

/// Appends the shortest decimal that reads back as `x`, when 1e-6 <= |x| < 1 and x is no power of two.
///
/// All candidates and the interval that rounds to `x` are exact integers here. No branch depends on the digits.
pub fn push_fraction(out: &mut Vec<u8>, x: f32) -> bool {
    let bits = x.to_bits();
    let index = ((bits >> 23) & 0xff).wrapping_sub(FIRST_EXPONENT);
    let fraction = bits & 0x7f_ffff;
    let Some(scale) = SCALES.get(index as usize) else { return false };
    // Below a power of two the neighbours are closer than above it.
    if fraction == 0 || x.abs() < 1e-6 {
        return false;
    }
    let c = u64::from(fraction | 0x80_0000);
    // In units of 2^-(shift + 1): x * 10^n and the ends of the interval, which belong to it when c is even.
    let exact = c * scale.five * 2;
    let (low, high) = (exact - scale.five + (c & 1), exact + scale.five - (c & 1));
    let unit = scale.shift + 1;
    let whole = exact >> unit;
    let rest = exact - (whole << unit);
    let nearest = whole + u64::from(rest * 2 + (whole & 1) > 1 << unit);
    // One digit less is enough when a multiple of ten lies in the interval; there is never room for two.
    let (down, up) = (whole / 10 * 10, whole / 10 * 10 + 10);
    let digits = select_unpredictable(up << unit <= high, up, nearest);
    let digits = select_unpredictable(down << unit >= low, down, digits) * scale.pad;
    let (head, tail) = (spell(digits / 100_000_000), spell(digits % 100_000_000));
    let spelled = u128::from(head) | (u128::from(tail) << 64);
    let length = 16 - spelled.leading_zeros() as usize / 8;
    let start = out.len();
    out.push(b'-');
    out.truncate(start + (bits >> 31) as usize);
    let start = out.len();
    out.extend_from_slice(b"0.");
    out.extend_from_slice(&(spelled | both(ZEROS)).to_le_bytes());
    out.truncate(start + 2 + length);
    true
}

/// The eight digits of a number below 10^8, one a byte, the first lowest.
fn spell(number: u64) -> u64 {
    // Divided in all lanes at once: by 100 and by 10, as multiplications that are exact for four and two digits.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 5_243) >> 19) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - tens * 10) << 8)
}

/// `value` followed by the digits that `text` begins with, modulo 2^64, and the text after them.
pub fn take_digits(mut value: u64, mut text: &[u8]) -> (u64, &[u8]) {
    // Sixteen bytes at once: the next number waits only for the count of digits, not for their value.
    while let Some(bytes) = text.first_chunk::<16>() {
        let digits = u128::from_le_bytes(*bytes) ^ both(ZEROS);
        // The highest bit of a byte is set where there is no digit.
        let others = (((digits & both(!HIGH_BITS)) + both(0x7676_7676_7676_7676)) | digits) & both(HIGH_BITS);
        let count = (others.trailing_zeros() / 8) as usize;
        // What is no digit is pushed out; zeros come in front.
        let digits = digits.checked_shl(128 - 8 * count as u32).unwrap_or(0);
        let number = read(digits as u64) * 100_000_000 + read((digits >> 64) as u64);
        value = value.wrapping_mul(TENS.get(count).copied().unwrap_or(1)).wrapping_add(number);
        text = text.get(count..).unwrap_or_default();
        if count < bytes.len() {
            return (value, text);
        }
    }
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        text = rest;
    }
    (value, text)
}

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The same eight bytes twice.
fn both(word: u64) -> u128 {
    (u128::from(word) << 64) | u128::from(word)
}

/// Powers of ten.
const TENS: [u64; 17] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
    10_000_000_000_000_000,
];

/// The number of eight digits, one a byte, the first lowest.
fn read(digits: u64) -> u64 {
    // Neighbours are joined: digits to pairs, pairs to fours, fours to the eight.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

/// Powers of ten that an f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The f32 that is nearest to `number` * 10^`exponent`, where f64 arithmetic decides it for certain.
///
/// The f64 below is less than two units in its last place away from the true value: rounding to f32 gives the same
/// for both unless a point halfway between two f32, which an f64 holds exactly, is that near.
pub fn nearest(number: u64, exponent: i32) -> Option<f32> {
    const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - f32::MANTISSA_DIGITS;
    let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
    let value = if exponent < 0 { number as f64 / power } else { number as f64 * power };
    let normal = f64::from(f32::MIN_POSITIVE)..f64::from(f32::MAX);
    let dropped = value.to_bits() & ((1 << DROPPED_BITS) - 1);
    let certain = dropped.abs_diff(1 << (DROPPED_BITS - 1)) > 2 && (normal.contains(&value) || number == 0);
    certain.then_some(value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::number::parse_f32;

    /// Numbers across the whole range, and those at the ends of every binary exponent.
    fn sample() -> impl Iterator<Item = f32> {
        let spread = (0..200_000_u32).map(|i| 0x3580_0000 + i.wrapping_mul(2_654_435_761) % 0x0a00_0000);
        let ends = (107..128_u32).flat_map(|exponent| (0..64).map(move |i| (exponent << 23) + i - 32));
        spread.chain(ends).map(f32::from_bits)
    }

    #[test]
    fn fractions_are_spelled_as_the_shortest_decimal() {
        let (mut buffer, mut out, mut count) = (zmij::Buffer::new(), Vec::new(), 0);
        for x in sample().flat_map(|x| [x, -x]) {
            out.clear();
            if push_fraction(&mut out, x) {
                assert_eq!(std::str::from_utf8(&out).unwrap(), buffer.format_finite(x));
                count += 1;
            } else {
                assert!(out.is_empty(), "nothing is written for {x}");
            }
        }
        assert!(count > 350_000, "{count} of them went this way");
    }

    #[test]
    fn numbers_beside_a_point_between_two_f32_are_rounded_as_the_standard_library_does() {
        for x in sample() {
            let next = f32::from_bits(x.to_bits() + 1);
            let between = (f64::from(x) + f64::from(next)) / 2.0;
            let near = [f64::from_bits(between.to_bits() - 1), between, f64::from_bits(between.to_bits() + 1)];
            for text in
                near.map(|y| format!("{y}")).into_iter().chain([format!("{between:.9}"), format!("{between:e}")])
            {
                assert_eq!(parse_f32(text.as_bytes()), text.parse().ok(), "{text}");
            }
        }
    }
}
