//! Control state: accounts, keys and what belongs to them, in SQLite or PostgreSQL.
//!
//! Promises that what [`Control::put`] returned from is on disk, that changes made together are there together or not at
//! all, and that every change has a revision greater than all before it, also where several processes write. So whoever
//! keeps a copy in memory asks for what changed since its own revision ([`Control::since`]). Knows nothing of what the
//! entries mean: they are JSON texts of at most [`ENTRY_BYTES_MAX`] bytes. Changes of kinds that are journalled are kept with what was there
//! before, in the same transaction, until somebody has taken them down elsewhere ([`Control::journal`], [`Control::forget`]). A database that does not answer within
//! [`CONTROL_TIME_MAX`] is away; connections that broke are made anew by whoever asks next.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{AnyPool, AssertSqlSafe, Row};
use tokio::time::timeout;

use crate::limits::{
    CONTROL_CONNECT_TIME_MAX, CONTROL_CONNECTIONS_MAX, CONTROL_TIME_MAX, ENTRIES_AT_ONCE, ENTRY_BYTES_MAX,
    JOURNAL_ROWS_MAX,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// A database with control state.
#[derive(Clone, Debug)]
pub struct Control {
    pool: AnyPool,
    /// How a change begins.
    begin: &'static str,
    /// Kinds whose changes are journalled.
    journalled: &'static [&'static str],
    /// Who makes changes, where that is known.
    actor: Option<Arc<str>>,
}

/// Something that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What sort of thing it is.
    pub kind: String,
    /// Its id, unique among its kind.
    pub id: String,
    /// The thing as JSON; none where it was removed.
    pub body: Option<String>,
}

impl Entry {
    /// Something that is there from now on, or different.
    #[must_use]
    pub fn new(kind: &str, id: &str, body: String) -> Entry {
        Entry { kind: kind.to_owned(), id: id.to_owned(), body: Some(body) }
    }

    /// Something that is gone.
    #[must_use]
    pub fn gone(kind: &str, id: &str) -> Entry {
        Entry { kind: kind.to_owned(), id: id.to_owned(), body: None }
    }
}

/// Where a change stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The revision that it was made with.
    pub revision: i64,
    /// Which of the changes of that revision it is.
    pub place: i64,
}

/// A change that was journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journalled {
    /// Where it stands.
    pub place: Place,
    /// What sort of thing was changed.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What it was; none where it was not there.
    pub before: Option<String>,
    /// What it is from then on; none where it was removed.
    pub after: Option<String>,
    /// Who changed it, where that is known ([`Control::by`]).
    pub actor: Option<String>,
}

/// What a database says, and at which revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the order in which they were made; each entry once, as it is now.
    pub entries: Vec<Entry>,
    /// The revision of the last of them.
    pub revision: i64,
    /// Whether the database has less than whoever asks knew, an older copy of itself most likely. Then these are all there
    /// are, and what was known besides holds no longer.
    pub are_all: bool,
}

/// Why control state cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The database cannot be opened.
    #[error("the database cannot be opened; expected `sqlite:PATH` or `postgres://USER@HOST/NAME`")]
    Closed(#[source] sqlx::Error),
    /// Its tables are not those of this version.
    #[error("the database's tables cannot be brought to this version")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// It does not answer, or not as it should.
    #[error("the database failed")]
    Failed(#[from] sqlx::Error),
    /// It does not answer in time.
    #[error("the database did not answer within {} s", CONTROL_TIME_MAX.as_secs())]
    Silent,
    /// An entry is too long.
    #[error("an entry of {0} bytes is longer than {ENTRY_BYTES_MAX}")]
    TooLong(usize),
}

impl Control {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`), and brings its tables to this version.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub async fn open(url: &str) -> Result<Control, ControlError> {
        install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(CONTROL_CONNECTIONS_MAX);
        let options = options.acquire_timeout(CONTROL_CONNECT_TIME_MAX);
        let pool = options.connect(url).await.map_err(ControlError::Closed)?;
        // Processes that start at once wait for each other here.
        MIGRATIONS.run(&pool).await?;
        // Whoever waited for another writer goes on from what that one wrote, also where the server would rather have him
        // fail by default.
        let begin = if url.starts_with("postgres") { "BEGIN ISOLATION LEVEL READ COMMITTED" } else { "BEGIN" };
        Ok(Control { pool, begin, journalled: &[], actor: None })
    }

    /// Opens the file `path`, making it if need be.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub async fn open_file(path: &Path) -> Result<Control, ControlError> {
        let control = Control::open(&format!("sqlite:{}?mode=rwc", path.display())).await?;
        // Readers go on while somebody writes, and what was committed is on disk.
        sqlx::query("PRAGMA journal_mode = WAL").execute(&control.pool).await?;
        Ok(control)
    }

    /// The same database, with changes of these kinds journalled from now on.
    #[must_use]
    pub fn journalling(self, kinds: &'static [&'static str]) -> Control {
        Control { journalled: kinds, ..self }
    }

    /// The same database, with changes journalled as those of `actor`.
    #[must_use]
    pub fn by(&self, actor: &str) -> Control {
        Control { actor: Some(actor.into()), ..self.clone() }
    }

    /// Puts down what is new, different or gone, all of it or nothing; returns the revision.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then nothing was, unless the database fell silent at the very end: then everything may
    /// have been.
    pub async fn put(&self, entries: &[Entry]) -> Result<i64, ControlError> {
        if let Some(body) =
            entries.iter().filter_map(|entry| entry.body.as_ref()).find(|body| body.len() > ENTRY_BYTES_MAX)
        {
            return Err(ControlError::TooLong(body.len()));
        }
        in_time(CONTROL_TIME_MAX, self.write(entries)).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<i64, sqlx::Error> {
        let mut transaction = self.pool.begin_with(self.begin).await?;
        // Taken first, so that writers wait for each other here.
        let revision: i64 = sqlx::query("UPDATE revision SET last = last + 1 WHERE one = 1 RETURNING last")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        for (place, entry) in (0_i64..).zip(entries) {
            if self.journalled.contains(&entry.kind.as_str()) {
                sqlx::query(
                    "INSERT INTO journal (revision, place, kind, id, body_before, body_after, actor) \
                     VALUES ($1, $2, $3, $4, (SELECT body FROM entries WHERE kind = $3 AND id = $4), $5, $6)",
                )
                .bind(revision)
                .bind(place)
                .bind(entry.kind.as_str())
                .bind(entry.id.as_str())
                .bind(entry.body.as_deref())
                .bind(self.actor.as_deref())
                .execute(&mut *transaction)
                .await?;
            }
            sqlx::query(
                "INSERT INTO entries (kind, id, body, revision) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, revision = excluded.revision",
            )
            .bind(entry.kind.as_str())
            .bind(entry.id.as_str())
            .bind(entry.body.as_deref())
            .bind(revision)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(revision)
    }

    /// What changed after `revision`; after 0, everything there is.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn since(&self, revision: i64) -> Result<Changes, ControlError> {
        let last = in_time(CONTROL_TIME_MAX, self.last()).await?;
        let are_all = last < revision;
        let revision = if are_all { 0 } else { revision };
        let mut changes = Changes { entries: Vec::new(), revision: last.max(revision), are_all };
        if last == revision {
            return Ok(changes);
        }
        // However many there are, no question takes long. What is changed meanwhile has a later revision than all that was read, and comes behind it.
        let mut behind = (revision, None);
        loop {
            let part = in_time(CONTROL_TIME_MAX, self.read(&behind)).await?;
            let is_last = part.len() < ENTRIES_AT_ONCE;
            if let Some((entry, at)) = part.last() {
                behind = (*at, Some((entry.kind.clone(), entry.id.clone())));
                changes.revision = changes.revision.max(*at);
            }
            changes.entries.extend(part.into_iter().map(|(entry, _)| entry));
            if is_last {
                return Ok(changes);
            }
        }
    }

    async fn last(&self) -> Result<i64, sqlx::Error> {
        let last = sqlx::query("SELECT last FROM revision WHERE one = 1").fetch_one(&self.pool).await?;
        last.try_get(0)
    }

    /// The next entries behind a revision, or behind one of it, each with its revision.
    async fn read(&self, (revision, entry): &Behind) -> Result<Vec<(Entry, i64)>, sqlx::Error> {
        let order = format!("ORDER BY revision, kind, id LIMIT {ENTRIES_AT_ONCE}");
        let rows = match entry {
            None => {
                let asked = format!("SELECT kind, id, body, revision FROM entries WHERE revision > $1 {order}");
                sqlx::query(AssertSqlSafe(asked)).bind(revision).fetch_all(&self.pool).await?
            }
            Some((kind, id)) => {
                let asked = format!(
                    "SELECT kind, id, body, revision FROM entries WHERE (revision, kind, id) > ($1, $2, $3) {order}"
                );
                sqlx::query(AssertSqlSafe(asked)).bind(revision).bind(kind).bind(id).fetch_all(&self.pool).await?
            }
        };
        let read = |row: &AnyRow| {
            Ok((Entry { kind: row.try_get(0)?, id: row.try_get(1)?, body: row.try_get(2)? }, row.try_get(3)?))
        };
        rows.iter().map(read).collect()
    }

    /// The first [`JOURNAL_ROWS_MAX`] changes of the journal, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn journal(&self) -> Result<Vec<Journalled>, ControlError> {
        in_time(CONTROL_TIME_MAX, async {
            let rows = sqlx::query(
                "SELECT revision, place, kind, id, body_before, body_after, actor FROM journal ORDER BY revision, place LIMIT $1",
            )
            .bind(JOURNAL_ROWS_MAX)
            .fetch_all(&self.pool)
            .await?;
            let read = |row: &sqlx::any::AnyRow| {
                let place = Place { revision: row.try_get(0)?, place: row.try_get(1)? };
                let (before, after) = (row.try_get(4)?, row.try_get(5)?);
                Ok(Journalled {
                    place,
                    kind: row.try_get(2)?,
                    id: row.try_get(3)?,
                    before,
                    after,
                    actor: row.try_get(6)?,
                })
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    /// Forgets the changes of the journal up to `place`, which are taken down elsewhere.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub async fn forget(&self, place: Place) -> Result<(), ControlError> {
        in_time(CONTROL_TIME_MAX, async {
            sqlx::query("DELETE FROM journal WHERE revision < $1 OR (revision = $1 AND place <= $2)")
                .bind(place.revision)
                .bind(place.place)
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }

    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A revision, and the entry of it up to which was read.
type Behind = (i64, Option<(String, String)>);

/// What is asked of the database, or that it did not answer within `max`.
pub(crate) async fn in_time<T>(
    max: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, ControlError> {
    Ok(timeout(max, asked).await.map_err(|_| ControlError::Silent)??)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::postgres::Postgres;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// What every database has to do, in a place of its own for each run.
    async fn keeps_what_it_is_told(open: impl AsyncFn() -> Control) {
        let control = open().await;
        let first = control.since(0).await.unwrap().revision;
        let (one, two) =
            (Entry::new("account", "a", r#"{"x":"'é\u0000"}"#.to_owned()), Entry::new("key", "a", "{}".to_owned()));
        let revision = control.put(&[one.clone(), two.clone()]).await.unwrap();
        assert!(revision > first);
        assert_eq!(control.since(first).await.unwrap().entries, [one, two.clone()]);
        // Changed and removed: each once, as it is now.
        let changed = Entry::new("account", "a", "{}".to_owned());
        control.put(std::slice::from_ref(&changed)).await.unwrap();
        control.put(&[Entry::gone("key", "a")]).await.unwrap();
        let changes = control.since(revision).await.unwrap();
        assert_eq!(changes.entries, [changed, Entry::gone("key", "a")]);
        assert_eq!(control.since(changes.revision).await.unwrap(), Changes { entries: Vec::new(), ..changes.clone() });
        // The limit, and one past it.
        let long = |bytes| Entry::new("account", "long", "x".repeat(bytes));
        assert!(control.put(&[long(ENTRY_BYTES_MAX)]).await.is_ok());
        let before = control.since(0).await.unwrap();
        let both = [two, long(ENTRY_BYTES_MAX + 1)];
        assert!(matches!(control.put(&both).await, Err(ControlError::TooLong(_))));
        assert_eq!(control.since(0).await.unwrap(), before, "nothing of it was written");
        // Whoever knows of more than there is learns all there is.
        let later = control.since(before.revision + 1).await.unwrap();
        assert_eq!(later, Changes { are_all: true, ..before.clone() });
        // Of many, also of one revision, each is read once, in order, whichever part it is in.
        let many: Vec<Entry> = (0..=ENTRIES_AT_ONCE)
            .map(|number| Entry::new("use", &format!("{number:05}"), number.to_string()))
            .collect();
        control.put(&many).await.unwrap();
        control.put(&[Entry::gone("use", "00007")]).await.unwrap();
        let read = control.since(before.revision).await.unwrap();
        let expected = many.iter().filter(|entry| entry.id != "00007").cloned().chain([Entry::gone("use", "00007")]);
        assert!(read.entries == expected.collect::<Vec<_>>() && read.revision == before.revision + 2);
        let before = control.since(0).await.unwrap();
        control.close().await;
        // It is there again afterwards.
        let again = open().await;
        assert_eq!(again.since(0).await.unwrap(), before);
    }

    /// Changes of some kinds are kept with what was there before, until they are forgotten.
    async fn keeps_a_journal(open: impl AsyncFn() -> Control) {
        let control = open().await.journalling(&["key", "quota"]);
        let entry = |kind, body: &str| Entry::new(kind, "a", body.to_owned());
        let first = control.put(&[entry("account", "1"), entry("key", "1"), entry("quota", "1")]).await.unwrap();
        let second = control.put(&[entry("key", "2")]).await.unwrap();
        let third = control.put(&[Entry::gone("key", "a"), entry("account", "2")]).await.unwrap();
        // Nothing of what was not written is in it.
        assert!(control.put(&[entry("key", "3"), entry("key", &"x".repeat(ENTRY_BYTES_MAX + 1))]).await.is_err());
        let of = |(revision, place), kind: &str, before: Option<&str>, after: Option<&str>| Journalled {
            place: Place { revision, place },
            kind: kind.to_owned(),
            id: "a".to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            actor: None,
        };
        let all = [
            of((first, 1), "key", None, Some("1")),
            of((first, 2), "quota", None, Some("1")),
            of((second, 0), "key", Some("1"), Some("2")),
            of((third, 0), "key", Some("2"), None),
        ];
        assert_eq!(control.journal().await.unwrap(), all);
        // Whoever is known is named.
        control.by("ann").put(&[entry("quota", "2")]).await.unwrap();
        let last = control.journal().await.unwrap().pop().unwrap();
        assert_eq!((last.actor.as_deref(), last.after.as_deref()), (Some("ann"), Some("2")));
        sqlx::query("DELETE FROM journal WHERE actor IS NOT NULL").execute(&control.pool).await.unwrap();
        control.forget(all[0].place).await.unwrap();
        assert_eq!(control.journal().await.unwrap(), all[1..]);
        control.close().await;
        // It outlives the process, and whoever does not journal adds nothing to it.
        let again = open().await;
        again.put(&[entry("key", "4")]).await.unwrap();
        assert_eq!(again.journal().await.unwrap(), all[1..]);
        again.forget(all[3].place).await.unwrap();
        assert_eq!(again.journal().await.unwrap(), []);
        // It is read in parts.
        let many: Vec<Entry> =
            (0..=JOURNAL_ROWS_MAX).map(|n| Entry::new("quota", &n.to_string(), "{}".to_owned())).collect();
        let again = again.journalling(&["quota"]);
        again.put(&many).await.unwrap();
        let part = again.journal().await.unwrap();
        assert_eq!(part.len() as i64, JOURNAL_ROWS_MAX);
        again.forget(part.last().unwrap().place).await.unwrap();
        assert_eq!(again.journal().await.unwrap().len(), 1);
    }

    #[test]
    fn a_file_keeps_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        run(keeps_a_journal(async || Control::open_file(&path).await.unwrap()));
    }

    #[test]
    fn a_postgresql_keeps_a_journal() {
        let postgres = Postgres::new();
        run(keeps_a_journal(async || Control::open(&postgres.url()).await.unwrap()));
    }

    #[test]
    fn a_file_keeps_what_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        run(keeps_what_it_is_told(async || Control::open_file(&path).await.unwrap()));
    }

    #[test]
    fn a_postgresql_keeps_what_it_is_told() {
        let postgres = Postgres::new();
        run(keeps_what_it_is_told(async || Control::open(&postgres.url()).await.unwrap()));
    }

    /// Several processes that write at once, each with connections of its own.
    fn writers_wait_for_each_other(open: impl AsyncFn() -> Control + Sync) {
        let start = Barrier::new(3);
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let (open, start) = (&open, &start);
                scope.spawn(move || {
                    start.wait();
                    run(async {
                        let control = open().await;
                        for n in 0..20 {
                            let entry = Entry::new("account", &format!("{name}{n}"), "{}".to_owned());
                            control.put(&[entry]).await.unwrap();
                        }
                        control.close().await;
                    });
                });
            }
        });
        let changes = run(async { open().await.since(0).await.unwrap() });
        assert_eq!((changes.entries.len(), changes.revision), (60, 60));
    }

    #[test]
    fn writers_to_a_file_wait_for_each_other_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        run(async { Control::open_file(&path).await.unwrap().close().await });
        writers_wait_for_each_other(async || Control::open_file(&path).await.unwrap());
    }

    /// All of them find an empty database and bring it to this version, whatever isolation it has by default.
    #[test]
    fn writers_to_a_postgresql_wait_for_each_other_from_its_first_table_on() {
        let postgres = Postgres::new();
        let url = format!("{}?options[default_transaction_isolation]=serializable", postgres.url());
        writers_wait_for_each_other(async || Control::open(&url).await.unwrap());
    }

    #[test]
    fn a_postgresql_is_spoken_to_in_tls_with_whom_it_has_to_be() {
        let authority = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
        };
        let ((ours, issuer), (strangers, _)) = (authority("ours"), authority("strangers"));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let plain = Postgres::new();
        let opened = run(Control::open(&format!("{}?sslmode=require", plain.url())));
        assert!(opened.is_err(), "a server that speaks none is refused");
        let files = [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())];
        let postgres = Postgres::with(&files.each_ref().map(|(name, text)| (*name, text.as_str())), &["ssl=on"]);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (ours, strangers) = (file("ours.pem", &ours), file("strangers.pem", &strangers));
        let to = |host: &str, mode: &str, root: &str| {
            format!("{}?sslmode={mode}&sslrootcert={root}", postgres.url().replace("127.0.0.1", host))
        };
        for (url, is_open) in [
            (to("127.0.0.1", "verify-full", &ours), true),
            (to("127.0.0.1", "verify-full", &strangers), false),
            // It is reached by a name that its certificate does not have.
            (to("localhost", "verify-full", &ours), false),
            (to("localhost", "verify-ca", &ours), true),
            (to("127.0.0.1", "verify-ca", &strangers), false),
            (format!("{}?sslmode=require", postgres.url()), true),
        ] {
            let opened = run(async {
                let control = Control::open(&url).await?;
                let row = sqlx::query("SELECT CAST(ssl AS INT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
                Ok::<i32, ControlError>(row.fetch_one(control.pool()).await?.try_get(0)?)
            });
            assert_eq!(opened.as_ref().ok(), is_open.then_some(&1), "{url}: {opened:?}");
        }
    }

    /// Nobody waits long for a database that is away, and it is found again by itself.
    #[test]
    fn a_postgresql_that_was_away_is_found_again() {
        let mut postgres = Postgres::new();
        let one = || Entry::new("account", "a", "{}".to_owned());
        run(async {
            let control = Control::open(&postgres.url()).await.unwrap();
            assert_eq!(control.put(&[one()]).await.unwrap(), 1);
            postgres.stop();
            let begun = tokio::time::Instant::now();
            assert!(control.since(0).await.is_err() && control.put(&[one()]).await.is_err());
            assert!(begun.elapsed() < 2 * CONTROL_CONNECT_TIME_MAX + Duration::from_secs(1));
            postgres.start();
            assert_eq!(control.since(0).await.unwrap(), Changes { entries: vec![one()], revision: 1, are_all: false });
            assert_eq!(control.put(&[one()]).await.unwrap(), 2);
        });
    }

    #[test]
    fn a_database_that_falls_silent_is_away_when_its_time_is_up() {
        let max = Duration::from_millis(200);
        let silent = std::future::pending::<Result<(), sqlx::Error>>();
        assert!(matches!(run(in_time(max, silent)), Err(ControlError::Silent)));
        let slow = async {
            tokio::time::sleep(max / 10).await;
            Ok::<_, sqlx::Error>(7)
        };
        assert_eq!(run(in_time(max, slow)).unwrap(), 7);
    }

    #[test]
    fn what_is_no_database_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        std::fs::write(
            &path,
            "this is no database, and it is longer than the head of one is, so it is looked at ".repeat(20),
        )
        .unwrap();
        assert!(run(Control::open_file(&path)).is_err());
        let error = run(Control::open("mysql://x")).unwrap_err();
        assert!(error.to_string().contains("expected `sqlite:PATH`"), "{error}");
    }
}
