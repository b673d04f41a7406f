//! Cases that people work on, kept beside what else is known.
//!
//! Promises that two people who change a case at once lose nothing of each other: each change is made to the case as it is.

use exchange::Time;
use store::control::Entry;

use super::{CASE, Registry, RegistryError, entry, missing, random};
use crate::case::{Case, Note, Severity, State};
use crate::limits::{CASES_MAX, NOTES_MAX};

impl Registry {
    /// Every case, in the order of their names.
    pub async fn cases(&self) -> Vec<Case> {
        self.known.lock().await.cases.values().cloned().collect()
    }

    /// A case.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub async fn case(&self, id: &str) -> Result<Case, RegistryError> {
        self.known.lock().await.cases.get(id).cloned().ok_or_else(|| missing(CASE, id))
    }

    /// Opens a case about campaigns, of which one was first detected at a time.
    ///
    /// # Errors
    ///
    /// When there are too many of which none is closed, or it cannot be written.
    pub async fn open_case(
        &self,
        title: String,
        severity: Severity,
        (campaigns, detected): (Vec<String>, Option<Time>),
        by: &str,
        now: Time,
    ) -> Result<Case, RegistryError> {
        let [a, b, c, d, e, f, ..] = random()?;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let case = Case {
            id: format!("case_{number:012x}"),
            title,
            state: State::Open,
            severity,
            owner: None,
            campaigns,
            links: Vec::new(),
            due: None,
            detected,
            since: now,
            by: by.to_owned(),
            notes: Vec::new(),
        };
        let mut known = self.known.lock().await;
        let mut entries = vec![entry(CASE, &case.id, &case)];
        if known.cases.len() >= CASES_MAX {
            let closed = known.cases.values().filter(|case| case.state == State::Closed);
            let oldest = closed.min_by_key(|case| case.since).ok_or(RegistryError::TooManyCases)?;
            entries.push(Entry::gone(CASE, &oldest.id));
        }
        self.put(&mut known, &entries).await?;
        Ok(case)
    }

    /// Changes a case as it is now.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it cannot be written.
    pub async fn change_case(&self, id: &str, change: impl FnOnce(&mut Case)) -> Result<Case, RegistryError> {
        let mut known = self.known.lock().await;
        let before = known.cases.get(id).cloned().ok_or_else(|| missing(CASE, id))?;
        let mut case = before.clone();
        change(&mut case);
        let case = Case {
            id: before.id.clone(),
            since: before.since,
            detected: before.detected,
            by: before.by.clone(),
            ..case
        };
        if case != before {
            self.put(&mut known, &[entry(CASE, id, &case)]).await?;
        }
        Ok(case)
    }

    /// Notes something.
    ///
    /// # Errors
    ///
    /// When there is none of that name, it has too many notes, or it cannot be written.
    pub async fn note(&self, id: &str, note: Note) -> Result<Case, RegistryError> {
        let mut known = self.known.lock().await;
        let mut case = known.cases.get(id).cloned().ok_or_else(|| missing(CASE, id))?;
        if case.notes.len() >= NOTES_MAX {
            return Err(RegistryError::TooManyNotes(id.to_owned()));
        }
        case.notes.push(note);
        self.put(&mut known, &[entry(CASE, id, &case)]).await?;
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    use store::control::Control;

    use super::*;

    const NOW: Time = Time::from_seconds(1_800_000_000);

    async fn registry() -> (Registry, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        (Registry::open(control.journalling(&crate::journal::JOURNALLED), [1; 32], Vec::new()).await.unwrap(), folder)
    }

    async fn opened(registry: &Registry, title: &str) -> Case {
        let campaigns = (vec!["cmp_1".to_owned()], Some(Time::from_seconds(1_799_990_000)));
        registry.open_case(title.to_owned(), Severity::High, campaigns, "ann", NOW).await.unwrap()
    }

    #[tokio::test]
    async fn a_case_is_changed_as_it_is_and_remembers_who_opened_it() {
        let (registry, _folder) = registry().await;
        let case = opened(&registry, "the first").await;
        let note = |text: &str| Note { time: NOW, by: "bob".to_owned(), text: text.to_owned() };
        registry.note(&case.id, note("seen")).await.unwrap();
        let change = |case: &mut Case| {
            case.owner = Some("bob".to_owned());
            case.state = State::Working;
            (case.id, case.by, case.detected) = ("other".to_owned(), "nobody".to_owned(), None);
        };
        let changed = registry.by("bob").change_case(&case.id, change).await.unwrap();
        assert_eq!((changed.by.as_str(), changed.notes.len(), changed.state), ("ann", 1, State::Working));
        assert!(changed.detected.is_some(), "the time from which clocks count stays");
        assert_eq!(registry.case(&case.id).await.unwrap(), changed);
        assert!(registry.change_case("case_0", |_| {}).await.is_err());
        let (told, _) = registry.journal().await.unwrap().unwrap();
        assert_eq!(told.last().map(|statement| statement.actor.as_str()), Some("person:bob"));
        // What changes nothing is put down nowhere.
        let before = registry.revision().await;
        registry.change_case(&case.id, |_| {}).await.unwrap();
        assert_eq!(registry.revision().await, before);
    }

    #[tokio::test]
    async fn so_many_notes_and_no_more() {
        let (registry, _folder) = registry().await;
        let case = opened(&registry, "the first").await;
        let notes = vec![Note { time: NOW, by: "ann".to_owned(), text: "x".to_owned() }; NOTES_MAX - 1];
        registry.change_case(&case.id, |case| case.notes = notes).await.unwrap();
        let note = || Note { time: NOW, by: "ann".to_owned(), text: "x".to_owned() };
        registry.note(&case.id, note()).await.unwrap();
        assert!(matches!(registry.note(&case.id, note()).await, Err(RegistryError::TooManyNotes(_))));
    }

    #[tokio::test]
    async fn at_the_limit_the_oldest_that_is_closed_goes() {
        let (registry, _folder) = registry().await;
        let one = opened(&registry, "the first").await;
        let entries: Vec<Entry> = (1..CASES_MAX)
            .map(|n| {
                let id = format!("case_x{n}");
                entry(CASE, &id, &Case { id: id.clone(), ..one.clone() })
            })
            .collect();
        {
            let mut known = registry.known.lock().await;
            registry.put(&mut known, &entries).await.unwrap();
        }
        let more = registry.open_case("more".to_owned(), Severity::Low, (Vec::new(), None), "ann", NOW).await;
        assert!(matches!(more, Err(RegistryError::TooManyCases)));
        registry.change_case(&one.id, |case| case.state = State::Closed).await.unwrap();
        opened(&registry, "more").await;
        assert!(registry.case(&one.id).await.is_err());
        assert_eq!(registry.cases().await.len(), CASES_MAX);
    }
}
