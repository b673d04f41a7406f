//! Numbers as people read them, the same way in every sentence of a finding.

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number of things in a list, likewise.
#[must_use]
pub fn many(number: usize) -> String {
    grouped(number as u64)
}

/// A number of things.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    one_or_many(number, noun, &format!("{noun}s"))
}

/// A number of things whose plural is not formed with an s.
#[must_use]
pub fn one_or_many(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), either(number, one, many))
}

/// The word that goes with a number of things: the first for one, the second for any other.
#[must_use]
pub fn either<'w>(number: u64, one: &'w str, many: &'w str) -> &'w str {
    if number == 1 { one } else { many }
}

/// A share as whole per cent, which says neither none nor all where it is neither.
#[must_use]
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        few if few > 0.0 && few < 1.0 => "under 1 %".to_owned(),
        most if most > 99.0 && most < 100.0 => "over 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn one_thing_is_no_things() {
        for (number, text) in [(0, "0 records were"), (1, "1 record was"), (2_000, "2,000 records were")] {
            assert_eq!(format!("{} {}", counted(number, "record"), either(number, "was", "were")), text);
        }
        assert_eq!(one_or_many(1, "family", "families"), "1 family");
        assert_eq!(one_or_many(3, "family", "families"), "3 families");
    }

    #[test]
    fn shares_are_none_or_all_only_where_they_are() {
        for (share, text) in
            [(0.0, "0 %"), (1e-6, "under 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.9999, "over 99 %"), (1.0, "100 %")]
        {
            assert_eq!(percent(share), text);
        }
    }
}
