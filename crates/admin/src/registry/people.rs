//! People who may sign in to the console, each with a role and a password.
//!
//! Promises that a password is kept as its argon2id hash only, that the first one is random and shown once, and that whoever is shut out, or
//! has another role or password, is so at the next request. Nobody is removed: names stay with what they did.

use exchange::Time;
use zeroize::Zeroizing;

use super::{PERSON, Registry, RegistryError, entry, missing, random};
use crate::kind::VISIT;
use crate::limits::{PASSKEYS_EACH_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PEOPLE_MAX, VISIT_TIME};
use crate::person::{Passkey, Person, PersonChange, Role, hash};

impl Registry {
    /// Everybody, in the order of their names.
    pub async fn people(&self) -> Vec<Person> {
        self.known.lock().await.people.values().cloned().collect()
    }

    /// Somebody.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name.
    pub async fn person(&self, name: &str) -> Result<Person, RegistryError> {
        self.known.lock().await.people.get(name).cloned().ok_or_else(|| missing(PERSON, name))
    }

    /// Adds somebody, with a password that is random and to be changed.
    ///
    /// # Errors
    ///
    /// When the name is taken, there are too many, or it cannot be written.
    pub async fn add_person(
        &self,
        name: &str,
        role: Role,
        now: Time,
    ) -> Result<(Person, Zeroizing<String>), RegistryError> {
        let password = made()?;
        let hash = hashed(password.clone()).await?;
        let mut known = self.known.lock().await;
        if known.people.contains_key(name) {
            return Err(RegistryError::Taken { kind: PERSON, id: name.to_owned() });
        }
        if known.people.len() >= PEOPLE_MAX {
            return Err(RegistryError::TooManyPeople);
        }
        let person = Person { password: hash, must_change: true, ..Person::new(name, role, now) };
        self.put(&mut known, &[entry(PERSON, &person.name, &person)]).await?;
        Ok((person, password))
    }

    /// Somebody whom an identity provider named and gave a role, as they are now: whoever is not there yet is added, without a password, and whoever
    /// has another role gets this one. Nobody who is shut out is let in.
    ///
    /// # Errors
    ///
    /// When there are too many, nobody would be left who manages people, or it cannot be written.
    pub async fn person_by_provider(&self, name: &str, role: Role, now: Time) -> Result<Person, RegistryError> {
        let mut known = self.known.lock().await;
        match known.people.get(name) {
            Some(person) if person.role == role || person.ended.is_some() => Ok(person.clone()),
            Some(_) => {
                drop(known);
                self.change_person(name, PersonChange { role: Some(role), is_ended: None }, now).await
            }
            None if known.people.len() >= PEOPLE_MAX => Err(RegistryError::TooManyPeople),
            None => {
                let person = Person::new(name, role, now);
                self.put(&mut known, &[entry(PERSON, &person.name, &person)]).await?;
                Ok(person)
            }
        }
    }

    /// Changes what somebody may do, or shuts them out, or lets them in again.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name, nobody would be left who manages people, or it cannot be written.
    pub async fn change_person(&self, name: &str, change: PersonChange, now: Time) -> Result<Person, RegistryError> {
        let mut known = self.known.lock().await;
        let mut person = known.people.get(name).cloned().ok_or_else(|| missing(PERSON, name))?;
        person.role = change.role.unwrap_or(person.role);
        person.ended = match change.is_ended {
            Some(true) => person.ended.or(Some(now)),
            Some(false) => None,
            None => person.ended,
        };
        person.changed = now;
        let manages = |person: &Person| person.role == Role::Admin && person.ended.is_none();
        let was_managed = known.people.values().any(manages);
        let others = known.people.values().filter(|other| other.name != name).any(manages);
        if was_managed && !others && !manages(&person) {
            return Err(RegistryError::LastAdmin(name.to_owned()));
        }
        self.put(&mut known, &[entry(PERSON, name, &person)]).await?;
        Ok(person)
    }

    /// Gives somebody another passkey.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name, they have too many, it is somebody's already, or it cannot be written.
    pub async fn add_passkey(&self, name: &str, passkey: Passkey) -> Result<Person, RegistryError> {
        let mut known = self.known.lock().await;
        let mut person = known.people.get(name).cloned().ok_or_else(|| missing(PERSON, name))?;
        if known.people.values().flat_map(|person| &person.passkeys).any(|other| other.id == passkey.id) {
            return Err(RegistryError::Taken { kind: "passkey", id: passkey.name });
        }
        if person.passkeys.len() >= PASSKEYS_EACH_MAX {
            return Err(RegistryError::TooManyPasskeys);
        }
        person.passkeys.push(passkey);
        self.put(&mut known, &[entry(PERSON, name, &person)]).await?;
        Ok(person)
    }

    /// Takes a passkey from somebody; whoever signed in before signs in again.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name, they have no such passkey, or it cannot be written.
    pub async fn remove_passkey(&self, name: &str, id: &str, now: Time) -> Result<Person, RegistryError> {
        let mut known = self.known.lock().await;
        let mut person = known.people.get(name).cloned().ok_or_else(|| missing(PERSON, name))?;
        let place =
            person.passkeys.iter().position(|passkey| passkey.id == id).ok_or_else(|| missing("passkey", id))?;
        person.passkeys.remove(place);
        person.changed = now;
        self.put(&mut known, &[entry(PERSON, name, &person)]).await?;
        Ok(person)
    }

    /// Whose a passkey is.
    pub async fn holder(&self, passkey: &str) -> Option<(Person, Passkey)> {
        let known = self.known.lock().await;
        known.people.values().find_map(|person| {
            let own = person.passkeys.iter().find(|own| own.id == passkey)?;
            Some((person.clone(), own.clone()))
        })
    }

    /// Gives somebody another random password, which they have to change, and takes all their passkeys.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name, or it cannot be written.
    pub async fn reset_password(&self, name: &str, now: Time) -> Result<Zeroizing<String>, RegistryError> {
        let password = made()?;
        self.store_password(name, password.clone(), true, now).await?;
        Ok(password)
    }

    /// Gives somebody the password that they chose.
    ///
    /// # Errors
    ///
    /// When it is too short or too long, there is nobody of that name, or it cannot be written.
    pub async fn set_password(&self, name: &str, password: &str, now: Time) -> Result<Person, RegistryError> {
        if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
            return Err(RegistryError::BadPassword);
        }
        self.store_password(name, Zeroizing::new(password.to_owned()), false, now).await
    }

    async fn store_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
        must_change: bool,
        now: Time,
    ) -> Result<Person, RegistryError> {
        let hash = hashed(password).await?;
        let mut known = self.known.lock().await;
        let person = known.people.get(name).cloned().ok_or_else(|| missing(PERSON, name))?;
        // Whoever got another one may have lost the keys as well, or somebody may have added some.
        let passkeys = if must_change { Vec::new() } else { person.passkeys };
        let person = Person { password: hash, must_change, changed: now, passkeys, ..person };
        self.put(&mut known, &[entry(PERSON, name, &person)]).await?;
        Ok(person)
    }

    /// When somebody was last in the console, by a name.
    pub async fn last_visit(&self, name: &str) -> Option<Time> {
        self.known.lock().await.visits.get(name).copied()
    }

    /// Takes note that somebody is in the console; at most once in [`VISIT_TIME`].
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn visited(&self, name: &str, now: Time) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        let last = known.visits.get(name).map_or(i64::MIN, |last| last.nanos());
        if now.nanos().saturating_sub(last) < VISIT_TIME.as_nanos() as i64 {
            return Ok(());
        }
        self.put(&mut known, &[entry(VISIT, name, &now)]).await
    }
}

/// The hash of a password, made beside the threads that answer.
async fn hashed(password: Zeroizing<String>) -> Result<String, RegistryError> {
    let hashed = tokio::task::spawn_blocking(move || hash(&password)).await;
    hashed.ok().flatten().ok_or(RegistryError::NoRandom)
}

/// A random password of 24 characters (120 bits) that nobody confuses: no letter that looks like a digit.
fn made() -> Result<Zeroizing<String>, RegistryError> {
    const LETTERS: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y',
        'z', '2', '3', '4', '5', '6', '7', '8', '9', '_',
    ];
    let bytes = Zeroizing::new(random()?);
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().unwrap_or('a');
    Ok(Zeroizing::new(bytes.iter().take(24).map(letter).collect()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::control::Control;

    use super::*;

    async fn registry() -> (Registry, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        (Registry::open(control.journalling(&crate::journal::JOURNALLED), [1; 32], Vec::new()).await.unwrap(), folder)
    }

    const NOW: Time = Time::from_seconds(1_800_000_000);

    #[tokio::test]
    async fn a_password_is_shown_once_and_kept_as_its_hash() {
        let (registry, folder) = registry().await;
        let (ann, password) = registry.add_person("ann", Role::Admin, NOW).await.unwrap();
        assert!(ann.is_password(&password) && !ann.is_password("") && !ann.is_password("guess"));
        assert!(ann.must_change && password.len() == 24);
        let again = registry.add_person("ann", Role::Viewer, NOW).await;
        assert!(matches!(again, Err(RegistryError::Taken { .. })));
        let chosen = "a".repeat(PASSWORD_CHARS_MIN);
        for bad in ["a".repeat(PASSWORD_CHARS_MIN - 1), "a".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(registry.set_password("ann", &bad, NOW).await, Err(RegistryError::BadPassword)));
        }
        registry.set_password("ann", &"a".repeat(PASSWORD_BYTES_MAX), NOW).await.unwrap();
        let ann = registry.set_password("ann", &chosen, NOW).await.unwrap();
        assert!(ann.is_password(&chosen) && !ann.is_password(&password) && !ann.must_change);
        for name in ["control.db", "control.db-wal"] {
            let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
            assert!(!bytes.windows(24).any(|part| part == password.as_bytes()), "{name}");
        }
        // Nor does the ledger hear of it.
        let (told, _) = registry.journal().await.unwrap().unwrap();
        assert!(!serde_json::to_string(&told).unwrap().contains("argon2id"));
    }

    #[tokio::test]
    async fn somebody_who_manages_people_is_left() {
        let (registry, _folder) = registry().await;
        registry.add_person("ann", Role::Admin, NOW).await.unwrap();
        let shut_out = PersonChange { is_ended: Some(true), role: None };
        let lowered = PersonChange { role: Some(Role::Viewer), is_ended: None };
        for change in [shut_out, lowered] {
            assert!(matches!(registry.change_person("ann", change, NOW).await, Err(RegistryError::LastAdmin(_))));
        }
        registry.add_person("bob", Role::Admin, NOW).await.unwrap();
        assert_eq!(registry.change_person("ann", shut_out, NOW).await.unwrap().ended, Some(NOW));
        assert!(registry.change_person("bob", lowered, NOW).await.is_err());
    }

    #[tokio::test]
    async fn so_many_people_and_no_more() {
        let (registry, _folder) = registry().await;
        let mut known = registry.known.lock().await;
        let (one, _) = {
            drop(known);
            registry.add_person("p", Role::Viewer, NOW).await.unwrap()
        };
        let entries: Vec<_> = (1..PEOPLE_MAX).map(|n| entry(PERSON, &format!("p{n}"), &one)).collect();
        known = registry.known.lock().await;
        registry.put(&mut known, &entries[1..]).await.unwrap();
        drop(known);
        registry.add_person("last", Role::Viewer, NOW).await.unwrap();
        assert!(matches!(registry.add_person("more", Role::Viewer, NOW).await, Err(RegistryError::TooManyPeople)));
    }

    #[tokio::test]
    async fn a_visit_is_noted_once_in_a_while_and_is_no_change_of_a_person() {
        let (registry, _folder) = registry().await;
        let at = |seconds: u64| Time::from_nanos(NOW.nanos() + Duration::from_secs(seconds).as_nanos() as i64);
        assert_eq!(registry.last_visit("ann").await, None);
        let step = VISIT_TIME.as_secs();
        for (now, noted) in [(0, 0), (step - 1, 0), (step, step), (1, step)] {
            registry.visited("ann", at(now)).await.unwrap();
            assert_eq!(registry.last_visit("ann").await, Some(at(noted)), "{now}");
        }
        assert!(registry.journal().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn whoever_is_known_by_name_is_named_for_every_change() {
        let (registry, _folder) = registry().await;
        let by_ann = registry.by("ann");
        by_ann.add_person("bob", Role::Viewer, NOW).await.unwrap();
        registry.add_person("eve", Role::Viewer, NOW).await.unwrap();
        let (told, _) = registry.journal().await.unwrap().unwrap();
        let actors: Vec<&str> = told.iter().map(|statement| statement.actor.as_str()).collect();
        assert_eq!(actors, ["person:ann", "admin"]);
        assert_eq!(registry.people().await.len(), 2, "both know what either changed");
    }

    #[tokio::test]
    async fn whom_a_provider_names_is_added_and_gets_the_role_that_it_says_but_is_not_let_in_again() {
        let (registry, _folder) = registry().await;
        let ann = registry.person_by_provider("ann", Role::Analyst, NOW).await.unwrap();
        assert!(!ann.has_password() && !ann.must_change && !ann.is_password(""));
        let (bob, _) = registry.add_person("bob", Role::Admin, NOW).await.unwrap();
        let raised = registry.person_by_provider("ann", Role::Responder, NOW).await.unwrap();
        assert_eq!((raised.role, raised.since), (Role::Responder, ann.since));
        assert_eq!(registry.person_by_provider("bob", Role::Admin, NOW).await.unwrap(), bob, "the password stays");
        assert!(matches!(
            registry.person_by_provider("bob", Role::Viewer, NOW).await,
            Err(RegistryError::LastAdmin(_))
        ));
        let ended = PersonChange { role: None, is_ended: Some(true) };
        registry.change_person("ann", ended, NOW).await.unwrap();
        assert!(registry.person_by_provider("ann", Role::Admin, NOW).await.unwrap().ended.is_some());
        assert_eq!(registry.person("ann").await.unwrap().role, Role::Responder);
    }

    #[tokio::test]
    async fn a_passkey_is_one_persons_and_goes_with_the_password_that_was_lost() {
        let (registry, _folder) = registry().await;
        registry.add_person("ann", Role::Admin, NOW).await.unwrap();
        registry.add_person("bob", Role::Admin, NOW).await.unwrap();
        let passkey = |number: usize| Passkey {
            id: format!("k{number}"),
            name: "laptop".to_owned(),
            algorithm: -7,
            key: String::new(),
            since: NOW,
        };
        for number in 0..PASSKEYS_EACH_MAX {
            registry.add_passkey("ann", passkey(number)).await.unwrap();
        }
        assert!(matches!(registry.add_passkey("ann", passkey(99)).await, Err(RegistryError::TooManyPasskeys)));
        assert!(matches!(registry.add_passkey("bob", passkey(0)).await, Err(RegistryError::Taken { .. })));
        assert_eq!(
            registry.holder("k3").await.map(|(person, own)| (person.name, own)),
            Some(("ann".to_owned(), passkey(3)))
        );
        assert!(registry.remove_passkey("bob", "k3", NOW).await.is_err());
        registry.remove_passkey("ann", "k3", NOW).await.unwrap();
        assert!(registry.holder("k3").await.is_none());
        let chosen = registry.set_password("ann", "long enough password", NOW).await.unwrap();
        assert_eq!(chosen.passkeys.len(), PASSKEYS_EACH_MAX - 1);
        registry.reset_password("ann", NOW).await.unwrap();
        assert!(registry.person("ann").await.unwrap().passkeys.is_empty());
    }
}
