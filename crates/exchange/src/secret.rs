//! Ids that may be secrets, made harmless.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

/// An id without the secret it may be: API keys are replaced by a 64-bit hash, far too short to hold a key's entropy, so
/// that equal keys stay equal and none can be recovered.
pub(crate) fn secret_free(id: Cow<'_, str>) -> Cow<'_, str> {
    let bearer = id.strip_prefix("Bearer ");
    let secret = bearer.unwrap_or(&id);
    if bearer.is_some() || SECRET_PREFIXES.iter().any(|prefix| secret.starts_with(prefix)) {
        Cow::Owned(format!("key_{:016x}", xxh3_64(secret.as_bytes())))
    } else {
        id
    }
}

/// What the secrets of model APIs begin with.
const SECRET_PREFIXES: [&str; 10] = ["sk-", "sk_", "pk-", "rk-", "xai-", "gsk_", "AIza", "AKIA", "hf_", "ABSK"];
