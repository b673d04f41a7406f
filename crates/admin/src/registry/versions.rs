//! Policies, and the versions of them that were applied.

use std::sync::Arc;

use exchange::Time;
use policy::Policies;
use store::control::Entry;

use super::{Registry, RegistryError, entry};
use crate::kind::{POLICIES, POLICIES_ID, POLICY_VERSION};
use crate::limits::VERSIONS_MAX;
use crate::version::Version;

impl Registry {
    /// Applies policies, or those again that Stillwatch comes with; each time that is a version of its own.
    ///
    /// # Errors
    ///
    /// When they cannot be used, or not be written.
    pub async fn put_policies(&self, text: Option<&str>, by: &str, now: Time) -> Result<Arc<Policies>, RegistryError> {
        let held = match text {
            Some(text) => {
                Policies::parse(text)?;
                entry(POLICIES, POLICIES_ID, &text)
            }
            None => Entry::gone(POLICIES, POLICIES_ID),
        };
        let mut known = self.known.lock().await;
        let number = known.versions.keys().next_back().map_or(1, |latest| latest.saturating_add(1));
        let version = Version { number, text: text.map(str::to_owned), since: now, by: by.to_owned() };
        let mut entries = vec![held, entry(POLICY_VERSION, &number.to_string(), &version)];
        let too_many = (known.versions.len() + 1).saturating_sub(VERSIONS_MAX);
        entries.extend(known.versions.keys().take(too_many).map(|old| Entry::gone(POLICY_VERSION, &old.to_string())));
        self.put(&mut known, &entries).await?;
        Ok(Arc::clone(&known.policies))
    }

    /// The versions of policies that are kept, the latest first.
    pub async fn policy_versions(&self) -> Vec<Version> {
        self.known.lock().await.versions.values().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use store::control::Control;

    use super::*;

    #[tokio::test]
    async fn each_application_is_a_version_and_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        let text = |number: u64| format!("@id(\"p{number}\")\npermit (principal, action, resource);\n");
        for number in 1..=VERSIONS_MAX as u64 + 1 {
            let now = Time::from_seconds(1_800_000_000 + number as i64);
            registry.put_policies(Some(&text(number)), "ann", now).await.unwrap();
        }
        registry.put_policies(None, "ben", Time::from_seconds(1_900_000_000)).await.unwrap();
        assert!(registry.put_policies(Some("no policy"), "ann", Time::from_seconds(1_900_000_001)).await.is_err());
        drop(registry);
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        let versions = registry.policy_versions().await;
        assert_eq!(versions.len(), VERSIONS_MAX);
        let latest = &versions[0];
        assert_eq!((latest.number, &latest.text, latest.by.as_str()), (VERSIONS_MAX as u64 + 2, &None, "ben"));
        assert_eq!(versions[1].text, Some(text(VERSIONS_MAX as u64 + 1)));
        assert_eq!(versions.last().unwrap().number, 3);
    }
}
