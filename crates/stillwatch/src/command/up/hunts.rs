//! Hunts that people run from the console: each a process of its own beside the gateway, so that it can fail alone.
//!
//! Promises that one runs at a time and others wait, that they end with the gateway, that what one found is there whole or not at all, and that
//! files which somebody sent are gone when the hunt in them has ended.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use console::hunt::{Asked, Hunt, HuntState, Hunter, NotBegun, Place, Sent, Where};
use findings::Findings;
use gateway::clock::Clock;

use crate::lakes;

/// Hunts that are kept. At the limit the oldest goes.
const HUNTS_MAX: usize = 50;
/// Hunts that wait for others to end. Further ones are refused.
const WAITING_MAX: usize = 20;
const _: () = assert!(HUNTS_MAX > WAITING_MAX + 1, "no hunt goes before it has run");
/// How often it is looked whether a hunt has ended.
const LOOK_TIME: Duration = Duration::from_millis(200);
/// Bytes of what a hunt that failed said, that are told.
const SAID_BYTES_MAX: u64 = 4_000;

/// Runs hunts.
#[derive(Debug)]
pub(super) struct Hunts {
    /// Where everything is.
    pub(super) places: Places,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
}

/// Where everything is that a hunt needs.
#[derive(Debug)]
pub(super) struct Places {
    /// The program that hunts, which is this one.
    pub(super) program: PathBuf,
    /// Where hunts are kept.
    pub(super) folder: PathBuf,
    /// The data folder.
    pub(super) data: PathBuf,
    /// The lake.
    pub(super) lake: PathBuf,
    /// The file of verdicts.
    pub(super) verdicts: PathBuf,
}

/// Hunts that run and wait.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Queued>);

#[derive(Debug, Default)]
struct Queued {
    waiting: VecDeque<Ready>,
    running: Option<Going>,
    /// Whether a thread takes them one after the other.
    is_worked: bool,
    is_over: bool,
    /// Folders that were made for files that somebody sends.
    sent: u64,
}

/// The hunt that runs.
#[derive(Debug)]
struct Going {
    id: String,
    /// Who wants it to end.
    stopped: Option<String>,
}

/// A hunt that can run.
#[derive(Debug)]
struct Ready {
    hunt: Hunt,
    folder: PathBuf,
    command: Command,
    /// Kept until it has run.
    sent: Option<Sent>,
}

/// Why there are no findings.
#[derive(Debug, PartialEq, Eq)]
enum NoFindings {
    Stopped(String),
    Failed(String),
}

const ENDED: &str = "the gateway ended before it did";

impl Queued {
    /// Those that run or wait.
    fn live(&self) -> BTreeSet<String> {
        let waiting = self.waiting.iter().map(|ready| ready.hunt.id.clone());
        waiting.chain(self.running.iter().map(|going| going.id.clone())).collect()
    }
}

impl Queue {
    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends whatever runs; nothing begins any more.
    pub(super) fn end(&self) {
        self.queued().is_over = true;
    }

    /// Those that run or wait.
    fn live(&self) -> BTreeSet<String> {
        self.queued().live()
    }

    /// The next hunt, which runs from now on; none where nobody waits, and then nobody works on it any more.
    fn next(&self) -> Option<Ready> {
        let mut queued = self.queued();
        let next = queued.waiting.pop_front();
        queued.is_worked = next.is_some();
        queued.running = next.as_ref().map(|ready| Going { id: ready.hunt.id.clone(), stopped: None });
        next
    }

    /// Why the hunt that runs has to end, if it has.
    fn interrupted(&self) -> Option<NoFindings> {
        let queued = self.queued();
        if queued.is_over {
            return Some(NoFindings::Failed(ENDED.to_owned()));
        }
        queued.running.as_ref()?.stopped.clone().map(NoFindings::Stopped)
    }

    /// Runs what waits, one after the other.
    fn work(&self, clock: &dyn Clock) {
        while let Some(Ready { mut hunt, folder, command, sent }) = self.next() {
            hunt.state = HuntState::Running;
            keep(&folder, &hunt);
            let came = match self.interrupted() {
                Some(why) => Err(why),
                None => run(command, &folder).and_then(|child| self.wait(child, &folder)),
            };
            let folder_of_sent = sent.as_ref().map(|sent| format!("{}/", sent.folder().display()));
            drop(sent);
            let at = clock.now();
            hunt.state = match came {
                Ok(Findings { campaigns, population, .. }) => {
                    HuntState::Done { at, campaigns: campaigns.len() as u64, exchanges: population.exchanges }
                }
                Err(NoFindings::Stopped(by)) => HuntState::Stopped { at, by },
                // Files that were sent are known by their names.
                Err(NoFindings::Failed(why)) => {
                    let why = match folder_of_sent {
                        Some(folder) => why.replace(&folder, ""),
                        None => why,
                    };
                    HuntState::Failed { at, why }
                }
            };
            keep(&folder, &hunt);
        }
    }

    /// Waits for the end of a hunt; what came of it.
    fn wait(&self, mut child: Child, folder: &Path) -> Result<Findings, NoFindings> {
        let failed = |error: io::Error| NoFindings::Failed(error.to_string());
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if let Some(why) = self.interrupted() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(why);
            }
            thread::sleep(LOOK_TIME);
        };
        // Nothing was found, or something.
        if !matches!(status.code(), Some(0 | 10)) {
            let mut said = Vec::new();
            let file = File::open(folder.join(SAID)).map(|file| file.take(SAID_BYTES_MAX));
            let _ = file.and_then(|mut file| file.read_to_end(&mut said));
            let said = String::from_utf8_lossy(&said);
            return Err(NoFindings::Failed(format!("{status}: {}", said.trim())));
        }
        let text = fs::read(folder.join(PART)).map_err(failed)?;
        let findings = serde_json::from_slice(&text).map_err(|error| NoFindings::Failed(error.to_string()))?;
        fs::rename(folder.join(PART), folder.join(FINDINGS)).map_err(failed)?;
        Ok(findings)
    }
}

const HUNT: &str = "hunt.json";
const FINDINGS: &str = "findings.json";
const PART: &str = "findings.part";
const SAID: &str = "said";
/// What folders of files that somebody sends are called.
const SENT: &str = "sent-";

impl Hunts {
    /// Runs hunts until `queue` ends. What an earlier process left of files that somebody sent is removed.
    pub(super) fn new(places: Places, clock: Arc<dyn Clock>, queue: Arc<Queue>) -> io::Result<Hunts> {
        let entries = match fs::read_dir(&places.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            entries => Some(entries?),
        };
        for entry in entries.into_iter().flatten() {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(SENT)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Hunts { places, clock, queue })
    }

    fn of(&self, id: &str) -> PathBuf {
        self.places.folder.join(id)
    }

    /// The numbers of those that are kept, the latest last.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.places.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_prefix("hnt_")?.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn command(&self, asked: &Asked) -> Result<Command, NotBegun> {
        let Places { program, data, lake, verdicts, .. } = &self.places;
        let mut command = Command::new(program);
        // It ends when this process does, which holds the other end of its input.
        command.args(["hunt", "--json", "--ends-with-input"]);
        match &asked.place {
            Where::Recorded => {
                command.arg(data);
            }
            Where::Lake if lakes::is_lake(lake) => {
                command.arg(lake);
            }
            Where::Lake => {
                return Err(NotBegun::Nowhere("there is no lake yet; set `enabled = true` under `[lake]`".to_owned()));
            }
            Where::Sent(sent) => {
                command.args(sent.logs.iter().map(|name| sent.folder().join(name)));
                if let Some(facts) = &sent.facts {
                    command.arg("--accounts").arg(sent.folder().join(facts));
                }
                // In one word, so that nothing which somebody types is another option.
                command.args(sent.account.iter().map(|path| format!("--account={path}")));
                command.args(sent.format.iter().map(|format| format!("--format={format}")));
            }
        }
        if verdicts.is_file() {
            command.arg("--labels").arg(verdicts);
        }
        for (flag, time) in [("--from", asked.from), ("--until", asked.until)] {
            if let Some(time) = time {
                command.arg(flag).arg(time.to_string());
            }
        }
        Ok(command)
    }
}

fn run(mut command: Command, folder: &Path) -> Result<Child, NoFindings> {
    let files = File::create(folder.join(PART)).and_then(|out| Ok((out, File::create(folder.join(SAID))?)));
    let started = files.and_then(|(out, said)| command.stdin(Stdio::piped()).stdout(out).stderr(said).spawn());
    started.map_err(|error| NoFindings::Failed(error.to_string()))
}

/// Writes down how far a hunt is, whole or not at all.
fn write(folder: &Path, hunt: &Hunt) -> io::Result<()> {
    let part = folder.join("hunt.part");
    fs::write(&part, serde_json::to_vec(hunt)?)?;
    fs::rename(part, folder.join(HUNT))
}

/// The same, where nobody waits for it.
fn keep(folder: &Path, hunt: &Hunt) {
    if let Err(error) = write(folder, hunt) {
        crate::log::say(&format!("how far {} is cannot be written: {error}", hunt.id));
    }
}

impl Hunter for Hunts {
    fn place(&self) -> io::Result<Sent> {
        let mut queued = self.queue.queued();
        queued.sent += 1;
        Sent::into_folder(self.of(&format!("{SENT}{}", queued.sent)))
    }

    fn begin(&self, asked: Asked) -> Result<String, NotBegun> {
        let failed = |error: io::Error| NotBegun::Failed(error.to_string());
        let mut queued = self.queue.queued();
        if queued.is_over {
            return Err(NotBegun::Failed("the gateway ends".to_owned()));
        }
        if queued.waiting.len() >= WAITING_MAX {
            return Err(NotBegun::Full(WAITING_MAX));
        }
        let command = self.command(&asked)?;
        let numbers = self.numbers().map_err(failed)?;
        let too_many = (numbers.len() + 1).saturating_sub(HUNTS_MAX);
        let live = queued.live();
        let ended = numbers.iter().map(|number| format!("hnt_{number}")).filter(|id| !live.contains(id));
        for old in ended.take(too_many) {
            fs::remove_dir_all(self.of(&old)).map_err(failed)?;
        }
        let id = format!("hnt_{}", numbers.last().map_or(1, |last| last.saturating_add(1)));
        let Asked { by, now, place, from, until, schedule } = asked;
        let (place, sent) = match place {
            Where::Recorded => (Place::Recorded, None),
            Where::Lake => (Place::Lake, None),
            Where::Sent(sent) => (Place::Sent, Some(sent)),
        };
        let files = sent.iter().flat_map(|sent| sent.logs.iter().chain(&sent.facts).cloned()).collect();
        let state = HuntState::Waiting;
        let hunt = Hunt { id: id.clone(), by, asked: now, place, from, until, files, schedule, state };
        let folder = self.of(&id);
        fs::create_dir_all(&folder).and_then(|()| write(&folder, &hunt)).map_err(failed)?;
        queued.waiting.push_back(Ready { hunt, folder, command, sent });
        if !queued.is_worked {
            queued.is_worked = true;
            let (queue, clock) = (Arc::clone(&self.queue), Arc::clone(&self.clock));
            thread::spawn(move || queue.work(clock.as_ref()));
        }
        Ok(id)
    }

    fn stop(&self, id: &str, by: &str) -> bool {
        let mut queued = self.queue.queued();
        if let Some(going) = queued.running.as_mut().filter(|going| going.id == id) {
            going.stopped.get_or_insert_with(|| by.to_owned());
            return true;
        }
        let Some(at) = queued.waiting.iter().position(|ready| ready.hunt.id == id) else { return false };
        if let Some(Ready { hunt, folder, .. }) = queued.waiting.remove(at) {
            let state = HuntState::Stopped { at: self.clock.now(), by: by.to_owned() };
            keep(&folder, &Hunt { state, ..hunt });
        }
        true
    }

    fn hunts(&self) -> Result<Vec<Hunt>, String> {
        // Looked at before and after, so that one that begins or ends meanwhile is not taken for one that an earlier process left.
        let before = self.queue.live();
        let mut hunts = Vec::new();
        for number in self.numbers().map_err(|error| error.to_string())?.into_iter().rev() {
            let text = match fs::read(self.of(&format!("hnt_{number}")).join(HUNT)) {
                // One that was begun just now, or did not come so far.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text.map_err(|error| error.to_string())?,
            };
            let hunt: Hunt = serde_json::from_slice(&text).map_err(|error| format!("hnt_{number}: {error}"))?;
            hunts.push(hunt);
        }
        let after = self.queue.live();
        for hunt in &mut hunts {
            let is_live = before.contains(&hunt.id) || after.contains(&hunt.id);
            if matches!(hunt.state, HuntState::Waiting | HuntState::Running) && !is_live {
                hunt.state = HuntState::Failed { at: hunt.asked, why: ENDED.to_owned() };
            }
        }
        Ok(hunts)
    }

    fn findings(&self, id: &str) -> Result<Option<Findings>, String> {
        // By those that there are, so that no name leads elsewhere.
        if !self.hunts()?.iter().any(|hunt| hunt.id == id) {
            return Ok(None);
        }
        match fs::read(self.of(id).join(FINDINGS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use exchange::Time;
    use gateway::clock::SystemClock;
    use tempfile::TempDir;

    use super::*;

    /// A hunter whose program does what `script` says. Each has a program of its own, since a shell that was begun may not have read its script yet.
    fn hunter(folder: &TempDir, script: &str) -> Hunts {
        let program = folder.path().join(format!("program-{}", fs::read_dir(folder.path()).unwrap().count()));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let places = Places {
            program,
            folder: folder.path().join("hunts"),
            data: folder.path().to_owned(),
            lake: folder.path().join("lake"),
            verdicts: folder.path().join("verdicts.jsonl"),
        };
        Hunts::new(places, Arc::new(SystemClock), Arc::default()).unwrap()
    }

    fn asked_in(place: Where) -> Asked {
        let now = Time::from_seconds(1_800_000_000);
        Asked { by: "ann".to_owned(), now, place, from: Some(now), until: None, schedule: None }
    }

    fn asked() -> Asked {
        asked_in(Where::Recorded)
    }

    /// A hunt, once it has ended.
    fn ended(hunts: &Hunts, id: &str) -> Hunt {
        for _ in 0..500 {
            let hunt = hunts.hunts().unwrap().into_iter().find(|hunt| hunt.id == id).unwrap();
            if !hunts.queue.live().contains(id) {
                return hunt;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it has not ended")
    }

    fn found() -> String {
        format!("cat <<'END'\n{}\nEND\nexit 0", serde_json::to_string(&Findings::default()).unwrap())
    }

    fn said(hunts: &Hunts, id: &str) -> String {
        fs::read_to_string(hunts.of(id).join(SAID)).unwrap()
    }

    #[test]
    fn what_a_hunt_found_is_kept_and_what_it_said_where_it_failed() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, &format!("echo \"$@\" >&2\n{}", found()));
        let id = hunts.begin(asked()).unwrap();
        let hunt = ended(&hunts, &id);
        assert!(matches!(hunt.state, HuntState::Done { campaigns: 0, exchanges: 0, .. }), "{hunt:?}");
        assert!(hunts.findings(&id).unwrap().is_some() && hunts.findings("../hunts").unwrap().is_none());
        let said = said(&hunts, &id);
        assert!(said.starts_with("hunt --json ") && said.trim().ends_with("--from 2027-01-15T08:00:00Z"), "{said}");
        let failing = hunter(&folder, "echo it is damaged >&2\nexit 65");
        let id = failing.begin(asked()).unwrap();
        let hunt = ended(&failing, &id);
        assert!(matches!(&hunt.state, HuntState::Failed { why, .. } if why.contains("it is damaged")), "{hunt:?}");
        assert_eq!((id.as_str(), failing.findings(&id).unwrap().is_none()), ("hnt_2", true));
        let nowhere = failing.begin(asked_in(Where::Lake));
        assert!(matches!(nowhere, Err(NotBegun::Nowhere(_))));
    }

    #[test]
    fn one_runs_at_a_time_and_all_end_with_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, "exec sleep 600");
        let first = hunts.begin(asked()).unwrap();
        while hunts.hunts().unwrap()[0].state != HuntState::Running {
            thread::sleep(Duration::from_millis(5));
        }
        let ids: Vec<String> = (0..WAITING_MAX).map(|_| hunts.begin(asked()).unwrap()).chain([first]).collect();
        // One that runs, so many that wait, and no more.
        let waiting = hunts.hunts().unwrap().iter().filter(|hunt| hunt.state == HuntState::Waiting).count();
        assert_eq!(waiting, WAITING_MAX);
        assert!(matches!(hunts.begin(asked()), Err(NotBegun::Full(WAITING_MAX))));
        // As another process finds it, after this one was killed.
        let later = hunter(&folder, "exit 0");
        assert!(matches!(later.hunts().unwrap()[0].state, HuntState::Failed { .. }));
        hunts.queue.end();
        for id in &ids {
            let hunt = ended(&hunts, id);
            assert!(matches!(&hunt.state, HuntState::Failed { why, .. } if why == ENDED), "{hunt:?}");
        }
        assert!(hunts.begin(asked()).is_err(), "nothing begins any more");
    }

    #[test]
    fn what_runs_and_what_waits_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, "exec sleep 600");
        let ids: Vec<String> = (0..3).map(|_| hunts.begin(asked()).unwrap()).collect();
        assert!(hunts.stop(&ids[1], "ben") && hunts.stop(&ids[0], "cat") && !hunts.stop("hnt_9", "ben"));
        for (id, who) in [(&ids[0], "cat"), (&ids[1], "ben")] {
            assert!(matches!(ended(&hunts, id).state, HuntState::Stopped { by, .. } if by == who));
        }
        assert!(!hunts.stop(&ids[0], "ben"), "it has ended");
        hunts.stop(&ids[2], "ben");
        assert!(matches!(ended(&hunts, &ids[2]).state, HuntState::Stopped { .. }), "the others went on");
    }

    #[test]
    fn one_that_runs_is_kept_however_many_are_begun_and_stopped_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, "exec sleep 600");
        let first = hunts.begin(asked()).unwrap();
        while hunts.hunts().unwrap()[0].state != HuntState::Running {
            thread::sleep(Duration::from_millis(5));
        }
        for _ in 0..=HUNTS_MAX {
            let other = hunts.begin(asked()).unwrap();
            assert!(hunts.stop(&other, "ben"));
        }
        let kept = hunts.hunts().unwrap();
        assert_eq!((kept.len(), &kept[HUNTS_MAX - 1].id), (HUNTS_MAX, &first));
        hunts.stop(&first, "ben");
        assert!(matches!(ended(&hunts, &first).state, HuntState::Stopped { .. }));
    }

    #[test]
    fn files_that_somebody_sent_are_hunted_in_and_gone_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, &format!("echo \"$@\" >&2\n{}", found()));
        let mut sent = hunts.place().unwrap();
        fs::write(sent.folder().join("log"), "x").unwrap();
        (sent.logs, sent.facts) = (vec!["log".to_owned()], Some("facts".to_owned()));
        (sent.account, sent.format) = (Some("--json".to_owned()), Some("native".to_owned()));
        let at = sent.folder().to_owned();
        let hunt = ended(&hunts, &hunts.begin(asked_in(Where::Sent(sent))).unwrap());
        assert_eq!((hunt.place, hunt.files.join(" ")), (Place::Sent, "log facts".to_owned()));
        let at_text = at.display();
        let expected = format!(
            "hunt --json --ends-with-input {at_text}/log --accounts {at_text}/facts --account=--json --format=native --from "
        );
        assert!(said(&hunts, &hunt.id).starts_with(&expected), "{}", said(&hunts, &hunt.id));
        assert!(!at.exists());
        // What a process left that was killed goes with the next start.
        let left = hunts.place().unwrap();
        let at = left.folder().to_owned();
        std::mem::forget(left);
        assert!(at.exists());
        drop(hunter(&folder, "exit 0"));
        assert!(!at.exists() && hunts.of(&hunt.id).exists());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let hunts = hunter(&folder, "exit 1");
        for _ in 0..=HUNTS_MAX {
            ended(&hunts, &hunts.begin(asked()).unwrap());
        }
        let kept = hunts.hunts().unwrap();
        assert_eq!((kept.len(), kept[0].id.as_str(), kept[HUNTS_MAX - 1].id.as_str()), (HUNTS_MAX, "hnt_51", "hnt_2"));
    }
}
