//! A console for tests: over a database of its own, without a gateway.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use admin::person::{Person, Role};
use admin::{Admin, Registry};
use axum::Router;
use findings::Findings;
use gateway::clock::SystemClock;
use playbook::cacao::Playbook;
use playbook::run::Run;
use policy::comparison::Comparison;
use policy::key::Keys;
use store::control::Control;
use verify::entry::Statement;
use watch::Watched;

use crate::context::{Configured, Console, Parts, Records, Scribe, SignIn, Trial};
use crate::hunt::{Asked, Hunt, HuntState, Hunter, NotBegun, Place, Sent, Where};
use crate::runs::{NotTaken, Runs, Said, Step};
use crate::session::By;

/// Keeps nothing.
#[derive(Debug)]
struct Nowhere;

impl Scribe for Nowhere {
    fn put_down(&self, _: Statement) -> Result<(), String> {
        Ok(())
    }
}

impl Runs for Nowhere {
    fn about(&self, _: &str) -> Result<Vec<(Run, Playbook)>, String> {
        Ok(Vec::new())
    }

    fn begin(&self, _: &str, _: &str, _: Said) -> Result<Run, NotTaken> {
        Err(NotTaken::Refused("nothing is kept here".to_owned()))
    }

    fn step(&self, _: &str, _: &str, _: Step, _: Said) -> Result<Run, NotTaken> {
        Err(NotTaken::Refused("nothing is kept here".to_owned()))
    }
}

impl Records for Nowhere {
    fn lake(&self) -> Result<Option<lake::Lake>, String> {
        Ok(None)
    }

    fn line(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn simulate(&self, _: Trial) -> Result<Comparison, String> {
        Ok(Comparison::default())
    }
}

/// Takes note of hunts, and runs none.
#[derive(Debug)]
struct Noting {
    begun: Begun,
    folder: PathBuf,
}

/// Hunts that were begun.
type Begun = Arc<Mutex<Vec<Hunt>>>;

impl Hunter for Noting {
    fn place(&self) -> io::Result<Sent> {
        Sent::into_folder(self.folder.join("sent"))
    }

    fn begin(&self, asked: Asked) -> Result<String, NotBegun> {
        let Asked { by, now, place, from, until, schedule } = asked;
        let (place, files) = match place {
            Where::Lake => return Err(NotBegun::Nowhere("there is no lake".to_owned())),
            Where::Recorded => (Place::Recorded, Vec::new()),
            Where::Sent(sent) => (Place::Sent, sent.logs.iter().chain(&sent.facts).cloned().collect()),
        };
        let mut begun = self.begun.lock().unwrap();
        let id = format!("hnt_{}", begun.len() + 1);
        let state = HuntState::Waiting;
        begun.push(Hunt { id: id.clone(), by, asked: now, place, from, until, files, schedule, state });
        Ok(id)
    }

    fn stop(&self, _: &str, _: &str) -> bool {
        false
    }

    fn hunts(&self) -> Result<Vec<Hunt>, String> {
        Ok(self.begun.lock().unwrap().clone())
    }

    fn findings(&self, _: &str) -> Result<Option<Findings>, String> {
        Ok(None)
    }
}

const BY_PASSWORD: SignIn = SignIn { url: None, passwords: true, passkeys: false, provider: None };

pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) admin: Arc<Admin>,
    pub(crate) console: Arc<Console>,
    pub(crate) begun: Begun,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::made(BY_PASSWORD, None).await
    }

    /// One beside a detection.
    pub(crate) async fn detecting(watched: &Arc<Watched>) -> Rig {
        Rig::made(BY_PASSWORD, Some(Arc::clone(watched))).await
    }

    /// One into which people come so.
    pub(crate) async fn with(sign_in: SignIn) -> Rig {
        Rig::made(sign_in, None).await
    }

    async fn made(sign_in: SignIn, detection: Option<Arc<Watched>>) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        let registry = Arc::new(Registry::open(control, [1; 32], Vec::new()).await.unwrap());
        let (_, credential) = Registry::mint_admin([1; 32]).unwrap();
        let admin = Arc::new(Admin {
            registry,
            credential,
            keys: Keys::new([1; 32]),
            clock: Box::new(SystemClock),
            stats: Arc::default(),
            queue: Arc::default(),
            recording: Arc::default(),
            settings: Arc::default(),
            detection,
            alerts: Arc::default(),
            sensors: None,
            folder: "here".to_owned(),
        });
        let begun = Begun::default();
        let hunter = Box::new(Noting { begun: Arc::clone(&begun), folder: folder.path().to_owned() });
        let console = Console::new(Parts {
            admin: Arc::clone(&admin),
            ledger: None,
            scribe: Arc::new(Nowhere),
            runs: Box::new(Nowhere),
            records: Box::new(Nowhere),
            hunter,
            verdicts: folder.path().join("verdicts.jsonl"),
            sign_in,
            configured: tokio::sync::watch::channel(Configured::default()).1,
        });
        Rig { router: crate::router(Arc::clone(&console)), admin, console, begun, _folder: folder }
    }

    /// Somebody of each role, signed in: with the token of the session and that of its forms.
    pub(crate) async fn everybody(&self) -> Vec<(Person, String, String)> {
        let mut people = Vec::new();
        for role in Role::ALL {
            let now = self.admin.clock.now();
            self.admin.registry.add_person(role.name(), role, now).await.unwrap();
            let person = self.admin.registry.set_password(role.name(), "long enough password", now).await.unwrap();
            let token = self.console.sessions.begin(role.name(), now, None, By::Password).unwrap();
            let csrf = self.console.sessions.visit(&token, person.clone()).unwrap().csrf().to_owned();
            people.push((person, token, csrf));
        }
        people
    }
}
