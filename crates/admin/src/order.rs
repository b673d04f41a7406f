//! Parts of a large set in order, without putting all of it in order.

use std::cmp::Ordering;

/// What comes behind the first `skip` of `items` in order: at most `most` of them, in order. Takes time as `items` are many, and not more.
pub fn stretch<T>(mut items: Vec<T>, skip: usize, most: usize, by: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if skip >= items.len() {
        return Vec::new();
    }
    if skip > 0 {
        items.select_nth_unstable_by(skip, &by);
        items.drain(..skip);
    }
    if most < items.len() {
        items.select_nth_unstable_by(most, &by);
        items.truncate(most);
    }
    items.sort_unstable_by(&by);
    items
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stretch_is_what_it_is_of_all_in_order(items in vec(0_u8..50, 0..60), skip in 0_usize..70, most in 0_usize..70) {
            let mut all = items.clone();
            all.sort_unstable();
            let expected: Vec<u8> = all.into_iter().skip(skip).take(most).collect();
            prop_assert_eq!(stretch(items, skip, most, u8::cmp), expected);
        }
    }
}
