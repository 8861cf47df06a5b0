//! `numeric` from its binary form to Postgres's text: every digit and the scale kept.
//! Form: <https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c>, `numeric_send`.

use std::fmt::Write as _;

use super::{Malformed, take_i16};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// The text of a `numeric`.
pub(super) fn text(raw: &[u8]) -> Result<String, Malformed> {
    let mut rest = raw;
    let count = take_i16(&mut rest)?;
    let weight = i32::from(take_i16(&mut rest)?);
    let sign = take_i16(&mut rest)?.cast_unsigned();
    let scale = usize::try_from(take_i16(&mut rest)?).map_err(|_| Malformed::Unknown)?;
    match sign {
        0 | NEGATIVE => {}
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Ok("-Infinity".to_owned()),
        _ => return Err(Malformed::Unknown),
    }
    let groups = (0..count).map(|_| take_i16(&mut rest)).collect::<Result<Vec<_>, _>>()?;
    // Group `n` counts 10000 to the power of `weight - n`; what is not sent is zero.
    let group = |place: i32| usize::try_from(weight - place).ok().and_then(|n| groups.get(n)).copied().unwrap_or(0);
    let mut text = String::from(if sign == NEGATIVE { "-" } else { "" });
    push(&mut text, format_args!("{}", group(weight.max(0))));
    for place in (0..weight).rev() {
        push(&mut text, format_args!("{:04}", group(place)));
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut place = -1;
        while text.len() < end {
            push(&mut text, format_args!("{:04}", group(place)));
            place -= 1;
        }
        text.truncate(end);
    }
    Ok(text)
}

fn push(text: &mut String, digits: std::fmt::Arguments<'_>) {
    text.write_fmt(digits).expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn every_digit_and_the_scale_are_kept() {
        let check = |parts: &[i16], expected: &str| {
            let raw: Vec<u8> = parts.iter().flat_map(|it| it.to_be_bytes()).collect();
            assert_eq!(text(&raw).unwrap(), expected);
        };
        check(&[0, 0, 0, 0], "0");
        check(&[0, 0, 0, 3], "0.000");
        check(&[1, 0, 0, 2, 1], "1.00");
        check(&[2, 0, 0x4000, 2, 12, 3400], "-12.34");
        check(&[1, 2, 0, 0, 1], "100000000");
        check(&[1, -2, 0, 8, 1], "0.00000001");
        check(&[1, -1, 0, 1, 5000], "0.5");
        check(&[0, 0, 0xc000_u16.cast_signed(), 0], "NaN");
        check(&[0, 0, 0xf000_u16.cast_signed(), 0], "-Infinity");
    }
}
