//! Whether a file is safetensors: a length, a header in JSON, and tensors that lie one behind the other and fill the rest.

use std::collections::BTreeSet;
use std::io::{self, Read as _};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::exact::exactly;
use crate::limits::{SAFETENSORS_HEADER_MAX, TENSORS_MAX};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The tensors of a header, each name once.
struct Tensors(Vec<Tensor>);

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tensors, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Tensors;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("tensors by their names")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Tensors, M::Error> {
                use serde::de::Error as _;
                let (mut names, mut tensors) = (BTreeSet::new(), Vec::new());
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<std::collections::BTreeMap<String, String>>()?;
                    } else if tensors.len() < TENSORS_MAX {
                        tensors.push(map.next_value()?);
                    } else {
                        return Err(M::Error::custom(format!("expected at most {TENSORS_MAX} tensors")));
                    }
                    if !names.insert(name) {
                        return Err(M::Error::custom("a name is there twice"));
                    }
                }
                Ok(Tensors(tensors))
            }
        }
        from.deserialize_map(Reading)
    }
}

/// Why a file of so many bytes is none, where it is none.
pub(super) fn check(from: &mut impl io::Read, bytes: u64) -> io::Result<Result<(), String>> {
    let Some(length) = exactly::<8>(from)?.map(u64::from_le_bytes) else {
        return Ok(Err("it ends in its length".to_owned()));
    };
    let Some(rest) = bytes.checked_sub(8).and_then(|rest| rest.checked_sub(length)) else {
        return Ok(Err("its header is longer than it".to_owned()));
    };
    if length > SAFETENSORS_HEADER_MAX {
        return Ok(Err(format!("its header has more than {SAFETENSORS_HEADER_MAX} bytes")));
    }
    let mut header = Vec::new();
    from.take(length).read_to_end(&mut header)?;
    let Tensors(mut tensors) = match serde_json::from_slice(&header) {
        Ok(tensors) => tensors,
        Err(error) => return Ok(Err(format!("its header says: {error}"))),
    };
    tensors.sort_by_key(|tensor| tensor.data_offsets);
    let mut end = 0;
    for tensor in &tensors {
        let [from, to] = tensor.data_offsets;
        if from != end || to < from {
            return Ok(Err("its tensors do not lie one behind the other".to_owned()));
        }
        if let Some(bits) = bits(&tensor.dtype) {
            let values = tensor.shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side));
            if values.and_then(|values| values.checked_mul(bits)).map(|bits| bits.div_ceil(8)) != Some(to - from) {
                return Ok(Err("a tensor has other bytes than its shape and its type need".to_owned()));
            }
        }
        end = to;
    }
    Ok(if end == rest { Ok(()) } else { Err(format!("its tensors have {end} bytes, and {rest} follow the header")) })
}

/// Bits of a value. Of types that came later nothing is said.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" | "C64" => 64,
        "F32" | "I32" | "U32" => 32,
        "F16" | "BF16" | "I16" | "U16" => 16,
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => 8,
        "F6_E2M3" | "F6_E3M2" => 6,
        "F4" => 4,
        _ => return None,
    })
}
