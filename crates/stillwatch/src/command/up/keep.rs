//! What a running gateway keeps up with: other processes on its database, what is in its data folder, and the keys of identity providers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use admin::Registry;
use admin::registry::WentBack;
use arc_swap::ArcSwap;
use gateway::clock::Clock;
use gateway::worker::Settings;
use policy::AccountId;
use policy::account::Tier;
use sensor::newcomers::Newcomers;

use crate::data_folder::{AccountFacts, DataFolder, QuotasUsed};
use crate::failure::Failure;
use crate::log::say;

/// How often it is written down when keys were used.
const USES_TIME: Duration = Duration::from_secs(30);

/// How often it is seen whether keys of identity providers are to be fetched.
const IDENTITY_STEP_TIME: Duration = Duration::from_secs(1);

/// Keeps up with other processes, and what is in the data folder with what is known.
pub(super) struct Keeper {
    registry: Arc<Registry>,
    /// What the role of the gateway keeps there.
    kept: Option<Kept>,
    clock: Arc<dyn Clock>,
    saved: tokio::time::Instant,
    /// What goes wrong now, and was told.
    trouble: Option<String>,
}

struct Kept {
    quotas_used: QuotasUsed,
    accounts: AccountFacts,
    /// The revision of the accounts that are written, and who was blocked then.
    written: Option<(i64, BTreeSet<AccountId>)>,
}

impl Keeper {
    /// Keeps what is in `folder`, where that is for this process to write.
    pub(super) fn new(registry: Arc<Registry>, folder: Option<&DataFolder>, clock: &Arc<dyn Clock>) -> Keeper {
        let kept =
            folder.map(|folder| Kept { quotas_used: folder.quotas_used(), accounts: folder.accounts(), written: None });
        Keeper { registry, kept, clock: Arc::clone(clock), saved: tokio::time::Instant::now(), trouble: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::time::sleep(admin::limits::REFRESH_TIME).await;
            let trouble = self.step().await.err().map(|failure| failure.to_string());
            match (&self.trouble, &trouble) {
                (None, Some(trouble)) => say(trouble),
                (Some(_), None) => say("accounts, keys and quotas are kept again"),
                _ => {}
            }
            self.trouble = trouble;
        }
    }

    pub(super) async fn step(&mut self) -> Result<(), Failure> {
        let learned = self.learn().await;
        let Some(Kept { quotas_used, .. }) = &mut self.kept else { return learned };
        // Also while the database is away: what is used up stays used up.
        let quotas = self.registry.gate().quotas();
        let saved = tokio::task::block_in_place(|| quotas_used.save(quotas, self.clock.now()));
        learned.and(saved)
    }

    async fn learn(&mut self) -> Result<(), Failure> {
        let kept = |error| Failure::io("the last known accounts, keys and quotas hold on", error);
        if let Some(WentBack { from, to }) = self.registry.refresh().await.map_err(kept)? {
            say(&format!(
                "the database went back from revision {from} to {to}, to an older copy most likely: what it has now holds, also \
                 keys that were revoked since"
            ));
        }
        if self.saved.elapsed() >= USES_TIME {
            self.saved = tokio::time::Instant::now();
            self.registry.save_uses().await.map_err(kept)?;
        }
        let Some(Kept { accounts: file, written, .. }) = &mut self.kept else { return Ok(()) };
        let now = self.clock.now();
        // A block ends by itself, too.
        let state = (self.registry.revision().await, self.registry.blocked(now).await);
        if written.as_ref() != Some(&state) {
            let accounts = self.registry.accounts().await;
            let facts: Vec<_> =
                accounts.into_iter().map(|account| (Arc::clone(&account), state.1.contains(&account.id))).collect();
            tokio::task::block_in_place(|| file.write(&facts, now))?;
            *written = Some(state);
        }
        Ok(())
    }
}

/// Makes accounts of which only sensors told.
pub(super) struct Arrivals {
    pub(super) registry: Arc<Registry>,
    pub(super) newcomers: Arc<Newcomers>,
    pub(super) tier: Tier,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) trouble: Option<String>,
}

impl Arrivals {
    pub(super) async fn run(mut self) {
        loop {
            tokio::time::sleep(admin::limits::REFRESH_TIME).await;
            let now = self.clock.now();
            let accounts = self.newcomers.take().into_iter().map(|id| sensor::newcomer(id, self.tier, now)).collect();
            let trouble = self.registry.add_missing(accounts).await.err().map(|error| error.to_string());
            match (&self.trouble, &trouble) {
                (None, Some(trouble)) => {
                    say(&format!(
                        "accounts that sensors tell of cannot be made, so that no response covers them: {trouble}"
                    ));
                }
                (Some(_), None) => say("accounts that sensors tell of are made again"),
                _ => {}
            }
            self.trouble = trouble;
        }
    }
}

/// Keeps the keys of identity providers fresh.
pub(super) struct IdentityKeeper {
    registry: Arc<Registry>,
    settings: Arc<ArcSwap<Settings>>,
    clock: Arc<dyn Clock>,
    keeper: gateway::identity::Keeper,
}

impl IdentityKeeper {
    pub(super) fn new(
        registry: &Arc<Registry>,
        settings: &Arc<ArcSwap<Settings>>,
        clock: &Arc<dyn Clock>,
    ) -> IdentityKeeper {
        let keeper = gateway::identity::Keeper::default();
        let (registry, settings, clock) = (Arc::clone(registry), Arc::clone(settings), Arc::clone(clock));
        IdentityKeeper { registry, settings, clock, keeper }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::time::sleep(IDENTITY_STEP_TIME).await;
            self.step().await;
        }
    }

    pub(super) async fn step(&mut self) {
        let providers = Arc::clone(&self.settings.load().identities);
        let failures = self.keeper.step(&providers, self.registry.gate().identities(), self.clock.now()).await;
        for (issuer, failure) in failures {
            say(&format!("the keys of the identity provider `{issuer}` cannot be fetched: {failure}"));
        }
    }
}
