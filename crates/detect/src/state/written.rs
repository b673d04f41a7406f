//! How tables are written down: maps in the order of their keys, so that equal states have equal bytes, and arrays of any length.

/// A map as its entries in order.
pub(crate) mod sorted {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hash};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a map.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub(crate) fn serialize<K: Ord + Serialize, V: Serialize, H, S: Serializer>(
        map: &HashMap<K, V, H>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<(&K, &V)> = map.iter().collect();
        entries.sort_by_key(|&(key, _)| key);
        serializer.collect_seq(entries)
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    ///
    /// Those of the deserializer.
    pub(crate) fn deserialize<'de, K, V, H, D>(deserializer: D) -> Result<HashMap<K, V, H>, D::Error>
    where
        K: Eq + Hash + Deserialize<'de>,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// An array of any length.
pub(crate) mod array {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes an array.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub(crate) fn serialize<T: Serialize, S: Serializer, const N: usize>(
        array: &[T; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(array)
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    ///
    /// Those of the deserializer, and of another length.
    pub(crate) fn deserialize<'de, T, D, const N: usize>(deserializer: D) -> Result<[T; N], D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let values = Vec::<T>::deserialize(deserializer)?;
        let found = values.len();
        values.try_into().map_err(|_| D::Error::custom(format_args!("expected {N} numbers, found {found}")))
    }
}
