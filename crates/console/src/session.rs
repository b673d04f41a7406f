//! Who is signed in, and who failed to.
//!
//! Promises that a session is known by a random token of which only the hash is kept, that it ends when it was not used or was begun too long ago,
//! and that whoever guesses passwords of one name waits ever longer. Both tables are bounded ([`limits`](crate::limits)).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use admin::person::{Person, Role};
use aws_lc_rs::digest::{SHA256, digest};
use exchange::Time;
use tokio::time::Instant;

use crate::limits::{
    FAILING_NAMES_MAX, FAILURES_FREE, SESSION_AGE_MAX, SESSION_IDLE_MAX, SESSIONS_EACH_MAX, SESSIONS_MAX, WAIT_FIRST,
    WAIT_MAX,
};
use crate::secret::{NoRandom, random};

/// The name of the cookie that holds a token.
pub(crate) const COOKIE: &str = "stillwatch_session";

type Hash = [u8; 32];

/// Who is signed in.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<BTreeMap<Hash, Session>>,
}

#[derive(Debug)]
struct Session {
    name: String,
    csrf: String,
    /// When it began, by the clock that changes of people are dated by.
    since: Time,
    /// When its person was last here, before it.
    before: Option<Time>,
    by: By,
    begun: Instant,
    used: Instant,
    notice: Option<String>,
}

/// How somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Password,
    /// By an identity provider.
    Provider,
    Passkey,
}

/// Somebody who is here, for the time of one request.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    person: Person,
    csrf: String,
    session: Hash,
    before: Option<Time>,
    by: By,
    /// Whether a page that is open asks for itself anew.
    is_renewal: bool,
}

impl Visit {
    pub(crate) fn name(&self) -> &str {
        &self.person.name
    }

    pub(crate) fn role(&self) -> Role {
        self.person.role
    }

    pub(crate) fn person(&self) -> &Person {
        &self.person
    }

    /// What every form of theirs has to show.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// When they were last here, before this session.
    pub(crate) fn before(&self) -> Option<Time> {
        self.before
    }

    /// Whether nothing else can be done before the password is changed.
    pub(crate) fn must_change(&self) -> bool {
        self.by == By::Password && self.person.must_change
    }

    /// How they signed in.
    pub(crate) fn by(&self) -> By {
        self.by
    }

    pub(crate) fn is_renewal(&self) -> bool {
        self.is_renewal
    }

    /// The same visit, where a page that is open asks for itself anew: what was left for the next page stays.
    pub(crate) fn renewing(self, is_renewal: bool) -> Visit {
        Visit { is_renewal, ..self }
    }

    pub(crate) fn may(&self, role: Role) -> bool {
        self.role() >= role
    }
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Hash, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs somebody in who was last here `before`; the token that says so.
    pub(crate) fn begin(&self, name: &str, since: Time, before: Option<Time>, by: By) -> Result<String, NoRandom> {
        let (token, csrf) = (random()?, random()?);
        let now = Instant::now();
        let mut all = self.all();
        all.retain(|_, session| session.holds(now));
        let own = all.iter().filter(|(_, session)| session.name == name);
        if own.clone().count() >= SESSIONS_EACH_MAX
            && let Some(oldest) = own.min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash)
        {
            all.remove(&oldest);
        }
        if all.len() >= SESSIONS_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash)
        {
            all.remove(&oldest);
        }
        let session = Session { name: name.to_owned(), csrf, since, before, by, begun: now, used: now, notice: None };
        all.insert(hash(&token), session);
        Ok(token)
    }

    /// Whose a token is and since when, if it holds. That is no use of it.
    pub(crate) fn whose(&self, token: &str) -> Option<(String, Time)> {
        let now = Instant::now();
        let all = self.all();
        let session = all.get(&hash(token)).filter(|session| session.holds(now))?;
        Some((session.name.clone(), session.since))
    }

    /// Takes note that somebody used a session.
    pub(crate) fn used(&self, visit: &Visit) {
        if let Some(session) = self.all().get_mut(&visit.session) {
            session.used = Instant::now();
        }
    }

    #[cfg(test)]
    fn use_of(&self, token: &str) {
        self.all().get_mut(&hash(token)).unwrap().used = Instant::now();
    }

    /// A visit of `person`, whose session this token is.
    pub(crate) fn visit(&self, token: &str, person: Person) -> Option<Visit> {
        let session = hash(token);
        let all = self.all();
        let Session { csrf, before, by, .. } = all.get(&session)?;
        Some(Visit { person, csrf: csrf.clone(), session, before: *before, by: *by, is_renewal: false })
    }

    /// Signs the session of this token out.
    pub(crate) fn end(&self, token: &str) {
        self.all().remove(&hash(token));
    }

    /// Whether the session of a visit holds still. Looking is no use of it.
    pub(crate) fn holds(&self, visit: &Visit) -> bool {
        self.all().get(&visit.session).is_some_and(|session| session.holds(Instant::now()))
    }

    /// Signs out whoever is signed in by this name.
    pub(crate) fn end_all(&self, name: &str) {
        self.all().retain(|_, session| session.name != name);
    }

    /// Leaves a sentence for the next page of a visit.
    pub(crate) fn leave(&self, visit: &Visit, notice: String) {
        if let Some(session) = self.all().get_mut(&visit.session) {
            session.notice = Some(notice);
        }
    }

    /// The sentence that was left.
    pub(crate) fn take(&self, visit: &Visit) -> Option<String> {
        self.all().get_mut(&visit.session)?.notice.take()
    }
}

impl Session {
    fn holds(&self, now: Instant) -> bool {
        now.duration_since(self.used) < SESSION_IDLE_MAX && now.duration_since(self.begun) < SESSION_AGE_MAX
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
        *to = *from;
    }
    hash
}

/// Failures to sign in, by name.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failing: Mutex<BTreeMap<String, Failing>>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    failures: u32,
    last: Instant,
}

impl Failing {
    /// How long nobody may try after the last failure.
    fn pause(self) -> Duration {
        match self.failures.checked_sub(FAILURES_FREE) {
            None => Duration::ZERO,
            Some(more) => WAIT_FIRST.saturating_mul(1 << more.min(16)).min(WAIT_MAX),
        }
    }
}

impl Attempts {
    /// How long a name has to wait before it may be tried again.
    pub(crate) fn wait(&self, name: &str) -> Duration {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.get(name).map_or(Duration::ZERO, |failing| failing.pause().saturating_sub(failing.last.elapsed()))
    }

    pub(crate) fn failed(&self, name: &str) {
        let now = Instant::now();
        let mut all = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, failing| failing.last.elapsed() < WAIT_MAX);
        if !all.contains_key(name)
            && all.len() >= FAILING_NAMES_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, failing)| failing.last).map(|(name, _)| name.clone())
        {
            all.remove(&oldest);
        }
        let failing = all.entry(name.to_owned()).or_insert(Failing { failures: 0, last: now });
        (failing.failures, failing.last) = (failing.failures.saturating_add(1), now);
    }

    pub(crate) fn succeeded(&self, name: &str) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Time = Time::from_seconds(0);

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_it_is_not_used_and_when_it_is_old() {
        let sessions = Sessions::default();
        let idle = sessions.begin("ann", SINCE, None, By::Password).unwrap();
        assert_eq!(sessions.whose(&idle), Some(("ann".to_owned(), SINCE)));
        assert_eq!(sessions.whose("guess"), None);
        tokio::time::advance(SESSION_IDLE_MAX - Duration::from_secs(1)).await;
        assert!(sessions.whose(&idle).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sessions.whose(&idle), None);
        let used = sessions.begin("ann", SINCE, None, By::Password).unwrap();
        let step = SESSION_IDLE_MAX / 2;
        let mut age = Duration::ZERO;
        while age + step < SESSION_AGE_MAX {
            tokio::time::advance(step).await;
            age += step;
            assert!(sessions.whose(&used).is_some(), "{age:?}");
            sessions.use_of(&used);
        }
        tokio::time::advance(step).await;
        assert_eq!(sessions.whose(&used), None);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_signed_in_and_no_more() {
        let sessions = Sessions::default();
        let mut tokens = Vec::new();
        for n in 0..=SESSIONS_MAX {
            tokens.push(sessions.begin(&format!("p{n}"), SINCE, None, By::Password).unwrap());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(sessions.whose(&tokens[0]), None);
        assert!(tokens[1..].iter().all(|token| sessions.whose(token).is_some()));
        sessions.end_all("p7");
        assert_eq!(sessions.whose(&tokens[7]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_signs_others_out_by_signing_in_often() {
        let sessions = Sessions::default();
        let other = sessions.begin("ann", SINCE, None, By::Password).unwrap();
        let mut own = Vec::new();
        for _ in 0..=SESSIONS_EACH_MAX {
            tokio::time::advance(Duration::from_millis(1)).await;
            own.push(sessions.begin("bob", SINCE, None, By::Password).unwrap());
        }
        assert!(sessions.whose(&other).is_some() && sessions.whose(&own[0]).is_none());
        assert!(own[1..].iter().all(|token| sessions.whose(token).is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_guesses_waits_ever_longer() {
        let attempts = Attempts::default();
        for _ in 1..FAILURES_FREE {
            attempts.failed("ann");
            assert_eq!(attempts.wait("ann"), Duration::ZERO);
        }
        let mut expected = WAIT_FIRST;
        for _ in 0..20 {
            attempts.failed("ann");
            assert_eq!(attempts.wait("ann"), expected);
            assert_eq!(attempts.wait("bob"), Duration::ZERO);
            expected = (expected * 2).min(WAIT_MAX);
        }
        tokio::time::advance(WAIT_MAX).await;
        assert_eq!(attempts.wait("ann"), Duration::ZERO);
        attempts.failed("ann");
        assert_eq!(attempts.wait("ann"), Duration::ZERO, "what is long ago is forgotten");
        (0..FAILURES_FREE).for_each(|_| attempts.failed("ann"));
        attempts.succeeded("ann");
        assert_eq!(attempts.wait("ann"), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_names_are_remembered_and_no_more() {
        let attempts = Attempts::default();
        let fail = |name: &str| (0..FAILURES_FREE).for_each(|_| attempts.failed(name));
        fail("first");
        for n in 1..FAILING_NAMES_MAX {
            tokio::time::advance(Duration::from_micros(1)).await;
            attempts.failed(&format!("n{n}"));
        }
        assert!(attempts.wait("first") > Duration::ZERO);
        attempts.failed("one more");
        assert_eq!(attempts.wait("first"), Duration::ZERO);
    }
}
