//! f32 as JSON text, exactly (`docs/format.md`, "Numbers").
//!
//! Finite numbers are the shortest decimal that reads back as the same f32, spelled as JavaScript's
//! `JSON.stringify` spells that decimal, so that parsing and printing the text again in JavaScript changes nothing.
//! The rest has no JSON number and is a string that JavaScript's `Number()` understands: `"Infinity"`,
//! `"-Infinity"`, `"NaN"`; a NaN with other bits than 0x7fc00000 carries them: `"NaN(0xffc00001)"`
//! is only read by this library.

use super::decimal::{nearest, push_fraction, take_digits};

const QUIET_NAN: u32 = 0x7fc0_0000;

/// Appends `x` as one JSON value.
pub fn push_f32(out: &mut Vec<u8>, x: f32) {
    if push_fraction(out, x) {
        return;
    }
    if !x.is_finite() {
        return push_special(out, x);
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(x);
    match text.find('e') {
        None => out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes()),
        Some(at) => {
            let (digits, exponent) = text.split_at(at);
            respell(out, digits, exponent.get(1..).and_then(|text| text.parse().ok()).unwrap_or(0));
        }
    }
}

fn push_special(out: &mut Vec<u8>, x: f32) {
    let text = if x == f32::INFINITY {
        "\"Infinity\"".to_owned()
    } else if x == f32::NEG_INFINITY {
        "\"-Infinity\"".to_owned()
    } else if x.to_bits() == QUIET_NAN {
        "\"NaN\"".to_owned()
    } else {
        format!("\"NaN({:#010x})\"", x.to_bits())
    };
    out.extend_from_slice(text.as_bytes());
}

/// Spells `digits`e`exponent` as ECMAScript's Number::toString does: decimal from 1e-6 up to below 1e21.
fn respell(out: &mut Vec<u8>, digits: &str, exponent: i32) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i32 + exponent;
    let text = if !(-5..=21).contains(&point) {
        let (first, rest) = all.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        let plus = if point > 0 { "+" } else { "" };
        format!("{sign}{first}{rest}e{plus}{}", point - 1)
    } else if point <= 0 {
        format!("{sign}0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else if all.len() as i32 <= point {
        format!("{sign}{all}{}", "0".repeat(point as usize - all.len()))
    } else {
        let (whole, fraction) = all.split_at(point as usize);
        format!("{sign}{whole}.{fraction}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// The f32 of one JSON value: a number, one of our strings, or `null`, which the earlier package wrote for NaN.
pub fn parse_f32(text: &[u8]) -> Option<f32> {
    take_f32(text).filter(|(_, rest)| rest.is_empty()).map(|(x, _)| x)
}

/// As `parse_f32` for the value that `text` begins with, and the text after it.
pub fn take_f32(text: &[u8]) -> Option<(f32, &[u8])> {
    match text {
        [b'"', rest @ ..] => {
            let length = rest.iter().position(|byte| *byte == b'"')?;
            let (special, rest) = rest.split_at_checked(length)?;
            Some((parse_special(std::str::from_utf8(special).ok()?)?, rest.get(1..)?))
        }
        [b'n', b'u', b'l', b'l', rest @ ..] => Some((f32::from_bits(QUIET_NAN), rest)),
        _ => take_number(text),
    }
}

fn parse_special(text: &str) -> Option<f32> {
    match text {
        "Infinity" => Some(f32::INFINITY),
        "-Infinity" => Some(f32::NEG_INFINITY),
        "NaN" => Some(f32::from_bits(QUIET_NAN)),
        _ => {
            let bits = u32::from_str_radix(text.strip_prefix("NaN(0x")?.strip_suffix(')')?, 16).ok()?;
            Some(f32::from_bits(bits)).filter(|x| x.is_nan())
        }
    }
}

/// A number as RFC 8259, section 6, spells it, and the text after it.
fn take_number(text: &[u8]) -> Option<(f32, &[u8])> {
    let negative = text.first() == Some(&b'-');
    let unsigned = text.get(usize::from(negative)..)?;
    let (mut number, mut rest) = match unsigned {
        [b'0', rest @ ..] => (0, rest),
        [b'1'..=b'9', ..] => take_digits(0, unsigned),
        _ => return None,
    };
    let mut digits = unsigned.len() - rest.len();
    let mut exponent = 0;
    if let [b'.', fraction @ ..] = rest {
        (number, rest) = take_digits(number, fraction);
        let count = fraction.len() - rest.len();
        if count == 0 {
            return None;
        }
        digits += count;
        exponent = -i32::try_from(count).ok()?;
    }
    if let [b'e' | b'E', signed @ ..] = rest {
        let down = signed.first() == Some(&b'-');
        let unsigned = signed.strip_prefix(b"+").or_else(|| signed.strip_prefix(b"-")).unwrap_or(signed);
        let scale;
        (scale, rest) = take_digits(0, unsigned);
        match unsigned.len() - rest.len() {
            0 => return None,
            1..=5 => exponent += if down { -(scale as i32) } else { scale as i32 },
            _ => digits = usize::MAX,
        }
    }
    // A number of so many digits fits in 64 bits.
    let quick = if digits <= 19 { nearest(number, exponent) } else { None };
    let x = match quick {
        Some(x) => f32::from_bits(x.to_bits() | (u32::from(negative) << 31)),
        None => {
            let number = text.get(..text.len() - rest.len())?;
            std::str::from_utf8(number).ok()?.parse::<f32>().ok().filter(|x| x.is_finite())?
        }
    };
    Some((x, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(x: f32) -> String {
        let mut out = Vec::new();
        push_f32(&mut out, x);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_spelled_as_javascript_spells_them() {
        let spelled = [
            (0.1, "0.1"),
            (1.0, "1"),
            (-0.0, "-0"),
            (0.0, "0"),
            (1e-6, "0.000001"),
            (-1.5e-7, "-1.5e-7"),
            (1e-45, "1e-45"),
            (0.000_012_345, "0.000012345"),
            (16_777_216.0, "16777216"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (f32::MAX, "3.4028235e+38"),
            (1.234_567_9e20, "123456790000000000000"),
            (f32::INFINITY, "\"Infinity\""),
            (f32::from_bits(QUIET_NAN), "\"NaN\""),
            (f32::from_bits(0xffc0_0001), "\"NaN(0xffc00001)\""),
        ];
        for (x, expected) in spelled {
            assert_eq!(text(x), expected);
        }
    }

    #[test]
    fn every_sampled_bit_pattern_round_trips() {
        let mut bits = 1_u32;
        for _ in 0..300_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = f32::from_bits(bits);
            let back = parse_f32(text(x).as_bytes()).unwrap();
            assert_eq!(back.to_bits(), bits, "{x:e} as {}", text(x));
        }
    }

    #[test]
    fn what_is_not_a_json_number_is_refused() {
        for bad in
            ["", "+1", ".5", "5.", "01", "1e", "1e+", "inf", "NaN", "\"nan\"", "1 ", "0x1", "1e999", "--1", "true"]
        {
            assert!(parse_f32(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(parse_f32(b"null").unwrap().is_nan());
        assert_eq!(parse_f32(b"-0.5E+1"), Some(-5.0));
    }
}
