//! Every limit of this crate, and what happens at it.

/// Bytes of an id. A longer one is refused.
pub const ID_BYTES_MAX: usize = 128;
/// Bytes of a proof of possession. A longer one is refused.
pub const PROOF_BYTES_MAX: usize = 8_192;
/// Bytes of the id of a proof. A proof with a longer one is refused.
pub const JTI_BYTES_MAX: usize = 256;
/// Proofs remembered, so that none is used twice. At the limit further ones are refused until some are too old.
pub const PROOFS_MAX: usize = 1_000_000;
/// Bytes of a bearer token. A longer one is refused.
pub const TOKEN_BYTES_MAX: usize = 16_384;
/// Tokens that were checked and are remembered. At the limit those whose time is over are forgotten, or else all.
pub const TOKENS_MAX: usize = 100_000;
/// Keys that an issuer publishes. A larger set is refused, and the old one stays.
pub const ISSUER_KEYS_MAX: usize = 100;
/// Bytes of the keys that an issuer publishes. A larger set is refused, and the old one stays.
pub const ISSUER_KEY_BYTES_MAX: usize = 256 * 1024;
/// Accounts, and organisations, that are known. Further ones are refused when they are made.
pub const ACCOUNTS_MAX: usize = 10_000_000;
/// Responses that are kept, those that are over or undone among them. Further ones are refused until some are removed.
pub const RESPONSES_MAX: usize = 10_000;
/// Keys, and certificates, that are known. Further ones are refused when they are made.
pub const KEYS_MAX: usize = 20_000_000;
/// Quotas that hold at once. Further ones are refused when they are made.
pub const QUOTAS_MAX: usize = 1_000;
/// Subjects of quotas of which it is known how much they used. At the limit one that used little is forgotten.
pub const BUCKETS_MAX: usize = 4_000_000;
/// Bytes of a text of policies. A longer one is refused.
pub const POLICIES_BYTES_MAX: usize = 128 * 1024;
/// Policies of a set. A larger set is refused: each is looked at for each new decision.
pub const POLICIES_MAX: usize = 500;
/// Accounts of which decisions are remembered. At the limit one of a few is forgotten.
pub const DECISIONS_MAX: usize = 1_000_000;
/// Models of one account for which decisions are remembered. At the limit the oldest is forgotten.
pub const DECIDED_MODELS_MAX: usize = 16;
/// Bytes of a text of prices. A longer one is refused.
pub const PRICES_BYTES_MAX: usize = 1 << 20;

/// Brackets within each other in one policy, and its `if`s, together. One with more is refused: whatever reads it would run out of its stack.
pub const NESTING_MAX: usize = 20;
/// Letters of operators in one policy, of which `&&` has two. One with more is refused likewise.
pub const OPERATORS_MAX: usize = 400;
