//! `stillwatch drill`: a campaign runs against a staging instance, injects arrive, and it is measured what the team does.
//!
//! Promises that nothing of a drill reaches the gateway that it is held for: of that one's data folder it writes to the folder of drills only, and to the
//! ledger that a drill was held.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drill::exercise::{BadExercise, Traffic as Described};
use drill::limits::{ANSWER_SECONDS, EXERCISE_BYTES_MAX};
use drill::moment::{Moment, clock};
use drill::report::Told;
use drill::traffic::Truth;
use drill::{Difficulty, Exercise, Report, Run, shipped};
use exchange::Time;
use gateway::config::Config;
use hyper::Method;
use report::words::printable;
use serde_json::{Value, json};
use simulator::{Compression, Scenario};
use store::bounded::read_text;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{seal, simulate};
use crate::admin_client::AdminClient;
use crate::cli::{DrillCommand, DrillHeld};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{ledgers, limited, listing, progress};

mod kept;
mod looking;
mod playing;
mod room;
mod sending;
mod staging;
mod words;

use playing::Playing;
use room::Room;
use sending::Traffic;
use staging::Staging;

/// How often the staging instance is looked at.
const LOOK_TIME: Duration = Duration::from_millis(500);
/// How long detection has to read what was recorded last, where nobody answers.
const SETTLE_TIME: Duration = Duration::from_secs(60);
/// Bytes of an alert that are read.
const ALERT_BYTES_MAX: usize = 4_096;
/// By what an alert is known that a campaign was detected, in syslog.
const DETECTED: &str = " campaign_detected ";
/// Characters of a text that is printed.
const TEXT_CHARS: usize = 1_000;

/// Does what was asked.
pub(crate) fn run(command: &DrillCommand) -> Result<Exit, Failure> {
    match command {
        DrillCommand::List { json } => list(*json),
        DrillCommand::Show { exercise } => show(exercise),
        DrillCommand::Run { exercise, difficulty, minutes, played, held } => {
            let asked = Asked { named: exercise, difficulty: *difficulty, minutes: *minutes };
            play(&asked, &played.team, played.listen, held)
        }
        DrillCommand::Tutorial { played, held } => {
            let asked = Asked { named: "tutorial", difficulty: None, minutes: None };
            play(&asked, &played.team, played.listen, held)
        }
        DrillCommand::Check { exercise, difficulty, minutes, sent_max, alert_seconds, held } => {
            let asked = Asked { named: exercise, difficulty: *difficulty, minutes: Some(*minutes) };
            check(&asked, *sent_max, *alert_seconds, held)
        }
        DrillCommand::Report { drill, data, json } => report(drill, data, *json),
        DrillCommand::Scores { data, json } => scores(data, *json),
    }
}

fn plain(text: &str) -> String {
    printable(text, TEXT_CHARS)
}

fn list(as_json: bool) -> Result<Exit, Failure> {
    let exercises = shipped::all();
    let names = |exercise: &Exercise| exercise.difficulties().map(Difficulty::name).collect::<Vec<_>>();
    if as_json {
        let told = |exercise: &Exercise| {
            json!({"name": exercise.name, "title": exercise.title, "source": exercise.source, "teaches": exercise.teaches,
                   "minutes": exercise.minutes, "difficulties": names(exercise)})
        };
        return print_json(&json!({"exercises": exercises.iter().map(told).collect::<Vec<_>>()}));
    }
    let mut text = String::new();
    for exercise in &exercises {
        text.push_str(&format!(
            "{:<14} {} ({} minutes; {})\n{:<14} {}\n",
            exercise.name,
            exercise.title,
            exercise.minutes,
            names(exercise).join(", "),
            "",
            exercise.teaches
        ));
        if !exercise.source.is_empty() {
            text.push_str(&format!("{:<14} After {}.\n", "", exercise.source));
        }
    }
    text.push_str("\nBegin with: stillwatch drill tutorial\n");
    print(&text).map(|()| Exit::Nothing)
}

/// The text of an exercise: one that comes with the program, or one in a file.
fn text_of(named: &str) -> Result<String, Failure> {
    if let Some(text) = shipped::text(named) {
        return Ok(text.to_owned());
    }
    let names: Vec<String> = shipped::all().into_iter().map(|exercise| exercise.name).collect();
    let expected = format!("expected {}, or a file with an exercise", names.join(", "));
    read_text(Path::new(named), EXERCISE_BYTES_MAX)
        .map_err(|error| Failure::io(format!("`{}` cannot be read; {expected}", plain(named)), error))
}

fn read(named: &str) -> Result<(Exercise, String), Failure> {
    let text = text_of(named)?;
    let bad = |error: BadExercise| Failure::bad_input(format!("`{}`: {error}", plain(named)));
    Ok((Exercise::read(&text).map_err(bad)?, text))
}

fn show(named: &str) -> Result<Exit, Failure> {
    let (_, text) = read(named)?;
    print(&text).map(|()| Exit::Nothing)
}

fn report(id: &str, data: &Path, as_json: bool) -> Result<Exit, Failure> {
    let report = kept::read(data, id)?;
    if as_json {
        return print_json(&json!(report));
    }
    print(&report.text()).map(|()| Exit::Nothing)
}

fn scores(data: &Path, as_json: bool) -> Result<Exit, Failure> {
    let reports = kept::all(data)?;
    if as_json {
        return print_json(&json!({"drills": reports}));
    }
    if reports.is_empty() {
        print("No drill was held yet. Begin with: stillwatch drill tutorial\n")?;
        return Ok(Exit::Nothing);
    }
    let row = |report: &Report| {
        let day: String = report.told.began.to_string().chars().take(10).collect();
        let points = report.score.as_ref().map_or_else(|| "-".to_owned(), |score| score.points.to_string());
        let mut row = json!({
            "drill": report.told.id, "day": day, "exercise": report.exercise, "difficulty": report.difficulty, "points": points,
            "wrong": report.accounts.wronged,
        });
        for (name, took, _) in report.durations() {
            let took = took.map_or_else(|| "-".to_owned(), clock);
            row.as_object_mut().map(|row| row.insert(name.to_owned(), took.into()));
        }
        row
    };
    let rows: Vec<Value> = reports.iter().map(row).collect();
    let columns = [
        "drill",
        "day",
        "exercise",
        "difficulty",
        "points",
        "detect",
        "respond",
        "contain",
        "notify",
        "decide",
        "wrong",
    ];
    print(&format!(
        "{}\nTimes in minutes and seconds, `-` where it was not reached; `wrong`: honest accounts that were restricted.\n",
        listing::columns(&columns, &rows)
    ))?;
    Ok(Exit::Nothing)
}

/// Which exercise is to be held, and how.
struct Asked<'a> {
    named: &'a str,
    difficulty: Option<Difficulty>,
    minutes: Option<f64>,
}

/// Everything that a drill is made of, before it begins.
struct Made {
    exercise: Exercise,
    difficulty: Difficulty,
    traffic: Traffic,
    keys: BTreeMap<String, String>,
    people: Vec<(String, String)>,
    begins: Time,
    speed: u32,
    /// Where alerts come in.
    alerts: UdpSocket,
}

/// Holds a drill with a team.
fn play(asked: &Asked<'_>, team: &[String], listen: SocketAddr, held: &DrillHeld) -> Result<Exit, Failure> {
    let has_ledger = has_ledger(held)?;
    let team = &team.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    if team.len() < 2 {
        print("Only one person takes part: blocks that wait for a second one will wait for ever.\n")?;
    }
    let Held { report, own, failure } = held_by(asked, team, Some(listen), held)?;
    // One that was broken off is no exercise.
    let kind = if report.told.is_cut_short { "drill_cut_short" } else { "drill" };
    let (page, entry) = kept::keep(&held.data, &own, &report, has_ledger.then_some(kind))?;
    let put_down = entry.map_or_else(String::new, |entry| format!("It is entry {entry} of the ledger.\n"));
    print(&format!(
        "\n{}\nThe report is {}.\n{put_down}What the staging gateway recorded: stillwatch hunt {}\n",
        report.text(),
        page.display(),
        staging::data(&own).display()
    ))?;
    failure.map_or(Ok(Exit::Nothing), Err)
}

/// Looks whether a campaign is noticed in time, with nobody who answers.
fn check(asked: &Asked<'_>, sent_max: f64, alert_seconds: f64, held: &DrillHeld) -> Result<Exit, Failure> {
    let has_ledger = has_ledger(held)?;
    let Held { report, own, failure } = held_by(asked, &[], None, held)?;
    let faults = if report.told.is_cut_short {
        vec!["it was ended before the traffic was over".to_owned()]
    } else {
        report.faults(sent_max, alert_seconds)
    };
    let kind = if faults.is_empty() { "drill_check" } else { "drill_check_failed" };
    let (page, entry) = kept::keep(&held.data, &own, &report, has_ledger.then_some(kind))?;
    let at = |moment: Option<Moment>| {
        moment.map_or_else(|| "not".to_owned(), |at| format!("when {:.0} % of it had been sent", at.sent * 100.0))
    };
    let mut text = format!(
        "The campaign was detected {}, and told by an alert {}.\n",
        at(report.times.detected),
        at(report.times.alerted)
    );
    for fault in &faults {
        text.push_str(&format!("NOT AS IT SHOULD BE: {fault}.\n"));
    }
    if faults.is_empty() {
        text.push_str("That is in time, and nobody honest was named or refused.\n");
    }
    text.push_str(&format!("The report is {}.\n", page.display()));
    if let Some(entry) = entry {
        text.push_str(&format!("It is entry {entry} of the ledger.\n"));
    }
    print(&text)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(if faults.is_empty() { Exit::Nothing } else { Exit::Unreadable }),
    }
}

/// Whether it can be put down that a drill was held; where it cannot that is said, before anybody begins.
fn has_ledger(held: &DrillHeld) -> Result<bool, Failure> {
    let has_ledger = ledgers::is_there(&held.data);
    if !has_ledger {
        print(&format!(
            "`{}` has no ledger: the report is kept there, and nothing else says that a drill was held.\n",
            held.data.display()
        ))?;
    }
    Ok(has_ledger)
}

/// A drill that was held.
struct Held {
    report: Report,
    /// The folder of all that belongs to it.
    own: PathBuf,
    /// Why it broke off, if it did.
    failure: Option<Failure>,
}

/// Holds a drill, with a page where somebody takes part.
fn held_by(asked: &Asked<'_>, team: &[String], listen: Option<SocketAddr>, held: &DrillHeld) -> Result<Held, Failure> {
    let (exercise, _) = read(asked.named)?;
    let difficulty = asked.difficulty.or_else(|| exercise.difficulties().next()).unwrap_or(Difficulty::Easy);
    let Some(described) = exercise.traffic(difficulty).cloned() else {
        let has: Vec<&str> = exercise.difficulties().map(Difficulty::name).collect();
        return Err(Failure::usage(format!("`{}` is not {difficulty}; it is {}", exercise.name, has.join(", "))));
    };
    let minutes = asked.minutes.unwrap_or(exercise.minutes);
    let exercise = if listen.is_some() { exercise } else { exercise.unattended() };
    let nobody = |error| Failure::io("alerts of the staging instance cannot be received", error);
    let alerts = UdpSocket::bind(("127.0.0.1", 0)).map_err(nobody)?;
    alerts.set_read_timeout(Some(LOOK_TIME)).map_err(nobody)?;
    let config = staging::configuration(held.config.as_deref(), alerts.local_addr().map_err(nobody)?.port())?;
    let (id, own) = kept::begin(&held.data)?;
    let made = make(exercise, difficulty, &described, minutes, (team, held.seed), &config, &own, alerts)?;
    let told = Told {
        id,
        by: held.by.clone().or_else(|| team.first().cloned()).unwrap_or_else(|| "stillwatch".to_owned()),
        reason: held.reason.clone(),
        began: seal::now()?,
        seconds: 0.0,
        speed: made.speed,
        seed: held.seed,
        is_cut_short: false,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let staging = Staging::start(&own, &config, made.begins, made.speed)?;
    let (report, failure) = hold(made, &staging, listen, &own, told)?;
    staging.end()?;
    Ok(Held { report, own, failure })
}

/// Simulates the traffic, and makes its accounts in a staging instance the day before.
#[expect(clippy::too_many_arguments, reason = "called in one place, with what was made there")]
fn make(
    exercise: Exercise,
    difficulty: Difficulty,
    described: &Described,
    minutes: f64,
    (team, seed): (&[String], u64),
    config: &Config,
    own: &Path,
    alerts: UdpSocket,
) -> Result<Made, Failure> {
    let unknown =
        || Failure::bad_input(format!("no scenario `{}`; `stillwatch simulate list` names them", described.scenario));
    let scenario = Scenario::by_name(&described.scenario).ok_or_else(unknown)?;
    let mut scenario = scenario.with_seed(seed).scaled(described.scale);
    for (knob, value) in &described.set {
        scenario.set(knob, value).map_err(Failure::bad_input)?;
    }
    scenario.check().map_err(Failure::bad_input)?;
    let folder = own.join("traffic");
    let waiting = progress::waiting("simulating traffic");
    let summary = simulator::simulate_into(&scenario, None, &folder, Compression::Plain);
    waiting.finish_and_clear();
    summary.map_err(simulate::failure)?;
    let facts = lines(&folder.join("accounts.jsonl"))?.collect::<Result<Vec<_>, _>>()?;
    let truth = truth(lines(&folder.join("labels.jsonl"))?)?;
    let traffic = Traffic::of(lines(&folder.join("exchanges.jsonl"))?, truth, described.has_reserve)?;
    // Whoever wants it again has the seed.
    fs::remove_dir_all(&folder).map_err(|error| Failure::unwritable(&folder, &error))?;
    let (first, last) =
        traffic.span().ok_or_else(|| Failure::bad_input(format!("`{}` sends nothing", described.scenario)))?;
    let takes = (last.seconds() - first.seconds()).max(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "held to what fits"
    )]
    let speed = (takes as f64 / (minutes * 60.0)).round().clamp(1.0, f64::from(u32::MAX)) as u32;

    let day_before = Time::from_seconds(first.seconds() - 86_400);
    let staging = Staging::start(own, config, day_before, 1)?;
    let admin = staging.admin()?;
    let people = team.iter().map(|name| Ok((name.clone(), staging::let_in(&admin, name)?)));
    let people = people.collect::<Result<Vec<_>, Failure>>()?;
    let bar = progress::steps(traffic.accounts().count() as u64).with_message("accounts");
    let keys = staging::make_accounts(&admin, &facts, traffic.accounts(), || bar.inc(1))?;
    bar.finish_and_clear();
    staging.end()?;
    Ok(Made { exercise, difficulty, traffic, keys, people, begins: first, speed, alerts })
}

/// Who is who, by the labels of simulated traffic.
fn truth(labels: impl Iterator<Item = Result<Value, Failure>>) -> Result<Truth, Failure> {
    let mut truth = Truth::default();
    for label in labels {
        let label = label?;
        let Some(account) = label.get("account").and_then(Value::as_str) else { continue };
        let is_of_campaign = label.get("campaign").is_some_and(Value::is_string);
        let known = if is_of_campaign { &mut truth.campaign } else { &mut truth.honest };
        known.insert(account.to_owned());
    }
    Ok(truth)
}

/// What stands in a file of JSON lines.
fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Value, Failure>>, Failure> {
    let file = File::open(path).map_err(|error| Failure::io(format!("`{}`", path.display()), error))?;
    let lines = BufReader::new(file).lines();
    let read = |line: std::io::Result<String>| {
        let line = line.map_err(|error| Failure::io("simulated traffic", error))?;
        serde_json::from_str(&line).map_err(Failure::unreadable)
    };
    Ok(lines.map(read))
}

/// Holds the drill, and tells what came of it; also where it broke off, with why.
fn hold(
    made: Made,
    staging: &Staging,
    listen: Option<SocketAddr>,
    own: &Path,
    told: Told,
) -> Result<(Report, Option<Failure>), Failure> {
    let admin = staging.admin()?;
    let (_, last) = made.traffic.span().unwrap_or((made.begins, made.begins));
    // It has run since it was ready.
    let begins = admin.time()?;
    let seconds = last.seconds().saturating_sub(begins.seconds()).max(1);
    let takes = Duration::from_secs(u64::try_from(seconds).unwrap_or(1)) / made.speed;
    let is_tutorial = made.exercise.is_tutorial;
    let run = Run::begin(made.exercise, made.difficulty, made.traffic.truth.clone(), takes.as_secs_f64());
    let playing = Arc::new(Playing::begin(run, begins, made.speed, takes));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("no threads can be started", error))?;
    let room = Arc::new(Room {
        playing: Arc::clone(&playing),
        console: staging.console().to_owned(),
        people: made.people,
        report: own.join("report.html").display().to_string(),
        base: room::unguessable()?,
    });
    let listener = listen.map(|listen| {
        let listener = runtime
            .block_on(TcpListener::bind(listen))
            .map_err(|error| Failure::io(format!("{listen} cannot be listened on"), error))?;
        let address = listener.local_addr().map_err(|error| Failure::io("the page of the drill", error))?;
        greet(&room, address, takes)?;
        Ok::<_, Failure>(listener)
    });
    let listener = listener.transpose()?;
    let alerts = {
        let playing = Arc::clone(&playing);
        std::thread::spawn(move || receive_alerts(&made.alerts, &playing))
    };
    let looker = {
        let playing = Arc::clone(&playing);
        std::thread::spawn(move || keep_looking(&admin, &playing))
    };
    let authority = staging.authority();
    let is_cut_short = runtime.block_on(async {
        let (end, ended) = oneshot::channel();
        let serving =
            listener.map(|listener| tokio::spawn(limited::serve(listener, room::router(room), limited::LIMITS, ended)));
        let interrupted = {
            let playing = Arc::clone(&playing);
            tokio::spawn(async move {
                interrupted().await;
                playing.end();
            })
        };
        let sent = sending::send(made.traffic, made.keys, authority, Arc::clone(&playing)).await;
        // Whoever answered all that there is has done it, whatever traffic is left.
        let is_cut_short = playing.is_over() && !(serving.is_some() && playing.run().is_answered());
        if sent.is_ok() && !playing.is_over() && serving.is_none() {
            // What was recorded last is still to be read, and looked at once more.
            let since = playing.elapsed();
            while playing.elapsed() < since + SETTLE_TIME && !has_read(staging).await {
                tokio::time::sleep(LOOK_TIME).await;
            }
            tokio::time::sleep(LOOK_TIME * 4).await;
        }
        if sent.is_ok() && !playing.is_over() && serving.is_some() {
            print("\nThe traffic is over; what is still open can be answered.\n")?;
            let since = playing.elapsed();
            while !playing.is_over() && !playing.run().is_answered() {
                if !is_tutorial && playing.elapsed() > since + Duration::from_secs_f64(ANSWER_SECONDS) {
                    break;
                }
                tokio::time::sleep(LOOK_TIME).await;
            }
        }
        playing.end();
        interrupted.abort();
        let _ = end.send(());
        serving.iter().for_each(JoinHandle::abort);
        Ok::<_, Failure>((is_cut_short, sent.err()))
    });
    alerts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let looked = looker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (is_cut_short, failure) = is_cut_short?;
    let failure = failure.or(looked.err());
    let is_cut_short = is_cut_short || failure.is_some();
    let seconds = playing.elapsed().as_secs_f64();
    let run = playing.run().clone();
    Ok((run.finish(Told { seconds, is_cut_short, ..told }), failure))
}

/// Comes when somebody wants the drill to end.
async fn interrupted() {
    let heard = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => {}
        () = heard(SignalKind::terminate()) => {}
        // The terminal is closed.
        () = heard(SignalKind::hangup()) => {}
    }
}

/// Whether detection has read all that is recorded.
async fn has_read(staging: &Staging) -> bool {
    let Ok(admin) = staging.admin() else { return false };
    let asked = tokio::task::spawn_blocking(move || admin.ask(Method::GET, "/api/v1/detection", None));
    matches!(asked.await, Ok(Ok(told)) if told.get("behind_bytes").and_then(Value::as_u64) == Some(0))
}

fn greet(room: &Room, address: SocketAddr, takes: Duration) -> Result<(), Failure> {
    let run = room.playing.run();
    let mut text = format!(
        "\n{} ({}), {} minutes. {}\n\n  The drill: http://{address}{}/\n  The console of the staging gateway: {}\n",
        plain(&run.exercise().title),
        run.difficulty(),
        clock(takes.as_secs_f64()),
        plain(&run.exercise().teaches),
        room.base,
        room.console
    );
    for (name, password) in &room.people {
        text.push_str(&format!("  Sign in as {}, with {password} (changed when one signs in first)\n", plain(name)));
    }
    text.push_str("\nWhat arrives is shown here and on the page of the drill, where it is answered. Ctrl-C ends the drill and writes the report.\n");
    drop(run);
    print(&text)
}

/// Receives alerts until the drill is over.
fn receive_alerts(socket: &UdpSocket, playing: &Playing) {
    let mut alert = [0; ALERT_BYTES_MAX];
    while !playing.is_over() {
        // Where nothing came in time it is looked again whether it is over.
        let Ok(length) = socket.recv(&mut alert) else { continue };
        if String::from_utf8_lossy(alert.get(..length).unwrap_or_default()).contains(DETECTED) {
            let now = playing.now();
            playing.run().alerted(now);
        }
    }
}

/// Looks at the staging instance until the drill is over, and once more then; tells what arrives.
fn keep_looking(admin: &AdminClient, playing: &Playing) -> Result<(), Failure> {
    loop {
        let is_over = playing.is_over();
        let look = looking::look(admin).inspect_err(|_| playing.end())?;
        let now = playing.now();
        let arrived = {
            let mut run = playing.run();
            run.look(now, look);
            if is_over { Vec::new() } else { run.arrive(now) }
        };
        for arrived in arrived {
            let deadline = playing.run().deadline(&arrived);
            print(&words::told(&arrived, deadline))?;
        }
        if is_over {
            return Ok(());
        }
        std::thread::sleep(LOOK_TIME);
    }
}
