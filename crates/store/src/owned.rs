//! Whose a thing is that a model server keeps: a file, a batch.
//!
//! Promises that an id belongs to one account from the first time it is put down, and that of several who close a thing at
//! once one succeeds. Knows nothing of what the things are. An account has at most [`OWNED_MAX`] of a kind. Lies in the same
//! database as control state, and is asked each time: nothing here is kept in memory.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::control::{Control, ControlError, in_time};
use crate::limits::{CONTROL_TIME_MAX, ENTRY_BYTES_MAX, OWNED_MAX};

/// A thing that somebody owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// What sort of thing it is.
    pub kind: String,
    /// Its id at the server, unique among its kind.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The server that keeps it, by its name.
    pub server: String,
    /// What it is for; may be empty.
    pub purpose: String,
    /// When it was made, in nanoseconds since 1970.
    pub created: i64,
    /// Whether something is still to be done once, when it is over.
    pub open: bool,
    /// What else is known of it.
    pub details: String,
}

/// Which of an account's things are asked for: those of a kind, the newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page<'p> {
    /// Of this kind.
    pub kind: &'p str,
    /// Of this account.
    pub account: &'p str,
    /// For this purpose only.
    pub purpose: Option<&'p str>,
    /// Only those that come behind this one.
    pub behind: Option<&'p str>,
    /// The oldest first.
    pub oldest_first: bool,
    /// At most so many.
    pub count: u32,
}

/// What became of a thing that was to be put down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there.
    Done,
    /// It belongs to another account, or lies at another server.
    Taken,
    /// The account has [`OWNED_MAX`] of the kind.
    Full,
}

const COLUMNS: &str = "kind, id, account, server, purpose, created, open, details";

impl Control {
    /// Puts down whose a thing is. Where its server gives the id of an earlier one of the same account again, that one is gone.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn own(&self, owned: &Owned) -> Result<Put, ControlError> {
        if owned.details.len() > ENTRY_BYTES_MAX {
            return Err(ControlError::TooLong(owned.details.len()));
        }
        in_time(CONTROL_TIME_MAX, self.insert_owned(owned)).await
    }

    async fn insert_owned(&self, owned: &Owned) -> Result<Put, sqlx::Error> {
        let inserted = sqlx::query(
            "INSERT INTO owned (kind, id, account, server, purpose, created, open, details) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
             WHERE (SELECT COUNT(*) FROM owned WHERE account = $9 AND kind = $10) < $11 \
             ON CONFLICT (kind, id) DO UPDATE SET purpose = excluded.purpose, created = excluded.created, \
             open = excluded.open, details = excluded.details \
             WHERE owned.account = excluded.account AND owned.server = excluded.server",
        )
        .bind(owned.kind.as_str())
        .bind(owned.id.as_str())
        .bind(owned.account.as_str())
        .bind(owned.server.as_str())
        .bind(owned.purpose.as_str())
        .bind(owned.created)
        .bind(i64::from(owned.open))
        .bind(owned.details.as_str())
        .bind(owned.account.as_str())
        .bind(owned.kind.as_str())
        .bind(i64::from(OWNED_MAX))
        .execute(self.pool())
        .await?;
        if inserted.rows_affected() > 0 {
            return Ok(Put::Done);
        }
        let known = self.select_owned(&owned.kind, &owned.id).await?;
        let is_mine = |known: &Owned| (&known.account, &known.server) == (&owned.account, &owned.server);
        Ok(if known.as_ref().is_none_or(is_mine) { Put::Full } else { Put::Taken })
    }

    /// A thing, by its id.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn owned(&self, kind: &str, id: &str) -> Result<Option<Owned>, ControlError> {
        in_time(CONTROL_TIME_MAX, self.select_owned(kind, id)).await
    }

    async fn select_owned(&self, kind: &str, id: &str) -> Result<Option<Owned>, sqlx::Error> {
        let asked = format!("SELECT {COLUMNS} FROM owned WHERE kind = $1 AND id = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(asked)).bind(kind).bind(id).fetch_optional(self.pool()).await?;
        row.as_ref().map(read).transpose()
    }

    /// What an account has; none where the thing is not there that they come behind.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn owned_by(&self, page: &Page<'_>) -> Result<Option<Vec<Owned>>, ControlError> {
        in_time(CONTROL_TIME_MAX, self.select_page(page)).await
    }

    async fn select_page(&self, page: &Page<'_>) -> Result<Option<Vec<Owned>>, sqlx::Error> {
        let (order, than, edge) = if page.oldest_first { ("ASC", ">", i64::MIN) } else { ("DESC", "<", i64::MAX) };
        let behind = match page.behind {
            None => (edge, String::new()),
            Some(id) => match self.select_owned(page.kind, id).await? {
                Some(known) if known.account == page.account => (known.created, known.id),
                _ => return Ok(None),
            },
        };
        let asked = format!(
            "SELECT {COLUMNS} FROM owned WHERE account = $1 AND kind = $2 AND ($3 = '' OR purpose = $4) \
             AND (created {than} $5 OR (created = $6 AND id {than} $7)) ORDER BY created {order}, id {order} LIMIT $8"
        );
        let purpose = page.purpose.unwrap_or_default();
        let rows = sqlx::query(sqlx::AssertSqlSafe(asked))
            .bind(page.account)
            .bind(page.kind)
            .bind(purpose)
            .bind(purpose)
            .bind(behind.0)
            .bind(behind.0)
            .bind(behind.1)
            .bind(i64::from(page.count))
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Closes a thing that is open; says whether it was, so that whoever hears yes is the only one.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn close_owned(&self, kind: &str, id: &str) -> Result<bool, ControlError> {
        let closed = sqlx::query("UPDATE owned SET open = 0 WHERE kind = $1 AND id = $2 AND open = 1");
        let closed = closed.bind(kind).bind(id).execute(self.pool());
        Ok(in_time(CONTROL_TIME_MAX, closed).await?.rows_affected() > 0)
    }

    /// Forgets a thing that is no longer there.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn disown(&self, kind: &str, id: &str) -> Result<(), ControlError> {
        let gone = sqlx::query("DELETE FROM owned WHERE kind = $1 AND id = $2").bind(kind).bind(id);
        in_time(CONTROL_TIME_MAX, gone.execute(self.pool())).await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<Owned, sqlx::Error> {
    Ok(Owned {
        kind: row.try_get(0)?,
        id: row.try_get(1)?,
        account: row.try_get(2)?,
        server: row.try_get(3)?,
        purpose: row.try_get(4)?,
        created: row.try_get(5)?,
        open: row.try_get::<i64, _>(6)? != 0,
        details: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Postgres;

    fn owned(account: &str, id: &str, created: i64) -> Owned {
        Owned {
            kind: "file".to_owned(),
            id: id.to_owned(),
            account: account.to_owned(),
            server: "a".to_owned(),
            purpose: if created % 2 == 0 { "batch" } else { "" }.to_owned(),
            created,
            open: true,
            details: "{}".to_owned(),
        }
    }

    /// What every database has to do.
    async fn knows_whose_a_thing_is(control: &Control) {
        let ann = owned("ann", "f1", 1);
        assert_eq!(control.own(&ann).await.unwrap(), Put::Done);
        assert_eq!(control.owned("file", "f1").await.unwrap(), Some(ann.clone()));
        assert_eq!(control.owned("batch", "f1").await.unwrap(), None);
        let other = Owned { details: "{\"x\":1}".to_owned(), ..ann.clone() };
        assert_eq!(control.own(&other).await.unwrap(), Put::Done);
        assert_eq!(control.owned("file", "f1").await.unwrap(), Some(other), "the earlier one is gone");
        assert_eq!(control.own(&ann).await.unwrap(), Put::Done);
        for other in [owned("bob", "f1", 2), Owned { server: "b".to_owned(), ..ann.clone() }] {
            assert_eq!(control.own(&other).await.unwrap(), Put::Taken);
        }
        // Pages, by time and then by id.
        for (id, created) in [("f3", 3), ("f2", 3), ("f4", 4)] {
            assert_eq!(control.own(&owned("ann", id, created)).await.unwrap(), Put::Done);
        }
        assert_eq!(control.own(&owned("bob", "f9", 3)).await.unwrap(), Put::Done);
        let page = Page { kind: "file", account: "ann", purpose: None, behind: None, oldest_first: false, count: 2 };
        let ids = async |page: Page<'_>| {
            let things = control.owned_by(&page).await.unwrap();
            things.map(|things| things.into_iter().map(|owned| owned.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(page).await.unwrap(), ["f4", "f3"]);
        assert_eq!(ids(Page { behind: Some("f3"), ..page }).await.unwrap(), ["f2", "f1"]);
        assert_eq!(ids(Page { behind: Some("f1"), ..page }).await.unwrap(), [""; 0]);
        assert_eq!(ids(Page { oldest_first: true, behind: Some("f1"), ..page }).await.unwrap(), ["f2", "f3"]);
        assert_eq!(ids(Page { purpose: Some("batch"), ..page }).await.unwrap(), ["f4"]);
        for strange in ["f9", "none"] {
            assert_eq!(ids(Page { behind: Some(strange), ..page }).await, None);
        }
        // Closed once, forgotten for good.
        assert!(control.close_owned("file", "f1").await.unwrap() && !control.close_owned("file", "f1").await.unwrap());
        assert!(!control.owned("file", "f1").await.unwrap().unwrap().open);
        control.disown("file", "f1").await.unwrap();
        assert_eq!(control.owned("file", "f1").await.unwrap(), None);
        let long = Owned { details: "x".repeat(ENTRY_BYTES_MAX + 1), ..ann };
        assert!(matches!(control.own(&long).await, Err(ControlError::TooLong(_))));
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_file_knows_whose_a_thing_is() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
            knows_whose_a_thing_is(&control).await;
            // An account has so many of a kind, and no more.
            sqlx::query(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < $1) \
                 INSERT INTO owned SELECT 'batch', 'b' || x, 'ann', 'a', '', x, 0, '{}' FROM n",
            )
            .bind(i64::from(OWNED_MAX) - 1)
            .execute(control.pool())
            .await
            .unwrap();
            let batch = |id: &str| Owned { kind: "batch".to_owned(), ..owned("ann", id, 1) };
            assert_eq!(control.own(&batch("last")).await.unwrap(), Put::Done);
            assert_eq!(control.own(&batch("more")).await.unwrap(), Put::Full);
            assert_eq!(control.own(&owned("ann", "file", 1)).await.unwrap(), Put::Done, "of another kind");
        });
    }

    #[test]
    fn a_postgresql_knows_whose_a_thing_is() {
        let postgres = Postgres::new();
        run(async { knows_whose_a_thing_is(&Control::open(&postgres.url()).await.unwrap()).await });
    }
}
