//! Whose files and batches are, as the database knows it.
//!
//! Promises that nobody learns of what is another's: it is not found. While the database is away, or there is none, nothing is
//! found out and everything is refused.

use store::control::{Control, ControlError};
use store::owned::{Owned, Page, Put};
use tokio::runtime::Handle;

use crate::refuse::Refusal;
use crate::route::Kind;

/// Asks the database whose things are, from any worker.
#[derive(Clone, Debug)]
pub struct Owners {
    control: Control,
    /// Where the connections to the database live.
    runtime: Handle,
}

impl Owners {
    /// What is in `control`, whose connections are of `runtime`.
    #[must_use]
    pub fn new(control: Control, runtime: Handle) -> Owners {
        Owners { control, runtime }
    }

    /// A thing of `account`.
    pub(crate) async fn find(&self, kind: Kind, id: &str, account: &str) -> Result<Owned, Refusal> {
        let id = id.to_owned();
        let owned = self.ask(async move |control| control.owned(kind.name(), &id).await).await?;
        owned.filter(|owned| owned.account == account).ok_or(Refusal::NotFound)
    }

    /// Things of `account`, a page of them.
    pub(crate) async fn list(&self, asked: Listing) -> Result<Vec<Owned>, Refusal> {
        let page = self.ask(async move |control| {
            let page = Page {
                kind: asked.kind.name(),
                account: &asked.account,
                purpose: asked.purpose.as_deref(),
                behind: asked.behind.as_deref(),
                oldest_first: asked.oldest_first,
                count: asked.count,
            };
            control.owned_by(&page).await
        });
        page.await?.ok_or_else(|| Refusal::Bad("There is nothing with the id that the page begins at.".to_owned()))
    }

    /// Puts down whose a thing is.
    pub(crate) async fn own(&self, owned: Owned) -> Result<(), Refusal> {
        match self.ask(async move |control| control.own(&owned).await).await? {
            Put::Done => Ok(()),
            // A server gave out an id that is another's.
            Put::Taken => Err(Refusal::Failed),
            Put::Full => Err(Refusal::Bad("You have too many of these. Delete some first.".to_owned())),
        }
    }

    /// Closes a thing; says whether this was the first time.
    pub(crate) async fn close(&self, kind: Kind, id: &str) -> Result<bool, Refusal> {
        let id = id.to_owned();
        self.ask(async move |control| control.close_owned(kind.name(), &id).await).await
    }

    /// A thing is no longer there.
    pub(crate) async fn disown(&self, kind: Kind, id: &str) -> Result<(), Refusal> {
        let id = id.to_owned();
        self.ask(async move |control| control.disown(kind.name(), &id).await).await
    }

    async fn ask<T, F>(&self, question: impl FnOnce(Control) -> F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ControlError>> + Send + 'static,
    {
        let asked = self.runtime.spawn(question(self.control.clone())).await;
        // The database is away, or the process is ending.
        asked.map_err(|_| Refusal::Unavailable)?.map_err(|_| Refusal::Unavailable)
    }
}

/// Which things of an account are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) kind: Kind,
    pub(crate) account: String,
    pub(crate) purpose: Option<String>,
    pub(crate) behind: Option<String>,
    pub(crate) oldest_first: bool,
    pub(crate) count: u32,
}
