//! Room for lists of which there are many: doubling them would leave half of the room empty.

/// Makes room for one more where there is none: for a quarter of what is there, and for `least` at least.
pub(crate) fn for_one_more<T>(list: &mut Vec<T>, least: usize) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(least));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_by_a_quarter() {
        let mut list: Vec<u64> = Vec::new();
        let mut rooms = Vec::new();
        for _ in 0..40 {
            for_one_more(&mut list, 4);
            rooms.push(list.capacity());
            list.push(0);
        }
        rooms.dedup();
        assert_eq!(rooms, [4, 8, 12, 16, 20, 25, 31, 38, 47]);
    }
}
