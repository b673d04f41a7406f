//! A PostgreSQL of one test: made in a temporary folder, on a free port of loopback, gone when the test ends.
//!
//! Promises that it is a real server with nothing of another test in it, and that neither it nor its folder outlives the
//! test, also one that panics. Where the machine has no PostgreSQL the test fails and says what to install: a test that
//! passes because it did nothing would be worse. Servers refuse to run as root, so root starts them as somebody else.
//! Other crates take this file into their tests by its path.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Ports that are tried: somebody else may take a free one before the server does.
const ATTEMPTS_MAX: usize = 5;
/// A tenth of a second, so often, is how long a server may take to start or to end.
const PAUSES_MAX: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// A server with one empty database.
pub(crate) struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    /// Whom root starts it as.
    user: Option<(u32, u32)>,
    port: u16,
    settings: &'static [&'static str],
    server: Option<Child>,
}

impl Postgres {
    /// Makes one and starts it.
    pub(crate) fn new() -> Postgres {
        Postgres::with(&[], &[])
    }

    /// The same with these files in its folder, for its own eyes only, and with these settings.
    pub(crate) fn with(files: &[(&str, &str)], settings: &'static [&'static str]) -> Postgres {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("stillwatch-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a temporary folder");
        // Whose folder it is, so are we.
        let is_root = fs::metadata(&folder).expect("the folder").uid() == 0;
        let user = is_root.then(nobody_special);
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).expect("a folder for the server's user");
        }
        let mut postgres = Postgres { folder, programs: programs(), user, port: 0, settings, server: None };
        let made = postgres
            .command("initdb")
            .args(["--auth=trust", "--username=stillwatch", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(postgres.data())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        for (name, text) in files {
            let path = postgres.data().join(name);
            fs::write(&path, text).expect("a file for the server");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its permissions");
            if let Some((user, group)) = user {
                chown(&path, Some(user), Some(group)).expect("a file of the server's user");
            }
        }
        for _ in 0..ATTEMPTS_MAX {
            postgres.port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
            if postgres.try_start() {
                return postgres;
            }
        }
        panic!("PostgreSQL does not start: {}", postgres.log());
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://stillwatch@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as an administrator would in a hurry: connections are cut, and everything that was committed stays.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let _ = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
        let has_ended = (0..PAUSES_MAX).any(|_| {
            !matches!(server.try_wait(), Ok(None)) || {
                sleep(PAUSE);
                false
            }
        });
        if !has_ended {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Starts it again, at the same port with the same data.
    pub(crate) fn start(&mut self) {
        assert!(self.try_start(), "PostgreSQL does not start again: {}", self.log());
    }

    fn try_start(&mut self) -> bool {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=40"];
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in settings.iter().chain(self.settings) {
            command.args(["-c", setting]);
        }
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres runs");
        let port = self.port.to_string();
        for _ in 0..PAUSES_MAX {
            if !matches!(server.try_wait(), Ok(None)) {
                return false;
            }
            let asked = self.command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
            if asked.expect("pg_isready runs").success() {
                self.server = Some(server);
                return true;
            }
            sleep(PAUSE);
        }
        self.server = Some(server);
        self.stop();
        false
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // The user that it runs as may not be able to look at where we are.
        command.current_dir(&self.folder).env_remove("PGOPTIONS").env_remove("PGDATA");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder with the server's programs: Debian keeps them off the path, a folder for each version.
#[expect(clippy::disallowed_methods, reason = "where programs lie is a matter of the machine")]
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(debian.into_iter().rev()).find(|folder| has_server(folder));
    found.expect("this test needs a PostgreSQL server; install `postgresql` (apt-get install postgresql)")
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_isready"].iter().all(|program| folder.join(program).is_file())
}

/// A user and a group that are not root's: those of PostgreSQL, or of nobody.
fn nobody_special() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let ids = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = ids("postgres").or_else(|| ids("nobody"));
    user.expect("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")
}
