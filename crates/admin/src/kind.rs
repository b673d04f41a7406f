//! The kinds of what control state holds, by the names that they have in the database.

pub(crate) const ACCOUNT: &str = "account";
pub(crate) const ORGANISATION: &str = "organisation";
pub(crate) const KEY: &str = "key";
pub(crate) const CERTIFICATE: &str = "certificate";
pub(crate) const QUOTA: &str = "quota";
pub(crate) const RESPONSE: &str = "response";
pub(crate) const APPEAL: &str = "appeal";
/// That a response covers an account, or did before that left: `RESPONSE/ACCOUNT`, since neither can have a `/` in it.
pub(crate) const COVER: &str = "cover";
pub(crate) const SUSPICION: &str = "suspicion";
/// What people work on.
pub(crate) const CASE: &str = "case";
/// Who may sign in to the console.
pub(crate) const PERSON: &str = "person";
/// The policies that the operator applied: one entry, [`POLICIES_ID`].
pub(crate) const POLICIES: &str = "policies";
pub(crate) const POLICIES_ID: &str = "applied";
/// Policies that were applied, by their number; the journal has them as [`POLICIES`].
pub(crate) const POLICY_VERSION: &str = "policy_version";
/// What tells whether keys are hashed with the same pepper here as by those who wrote the others.
pub(crate) const PEPPER: &str = "pepper";
/// When a key was last used; written by whoever saw it, and no reason to change the directory.
pub(crate) const USE: &str = "use";
/// When somebody was last in the console; no change that is journalled.
pub(crate) const VISIT: &str = "visit";
/// A view that somebody saved: `PERSON` and its name, with a line break between.
pub(crate) const VIEW: &str = "view";
/// A hunt that is run again and again.
pub(crate) const SCHEDULE: &str = "schedule";
/// What was told of a campaign, and to whom: `DESTINATION/CAMPAIGN`, of which the last is kept.
pub(crate) const ALERT: &str = "alert";
