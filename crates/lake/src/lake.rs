//! A lake as a whole: which parts count, what they hold, and all rows in the order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use exchange::{Exchange, Time};

use crate::error::LakeError;
use crate::notes::{self, About, Erased};
use crate::objects::{Object, Objects};
use crate::part::{Part, PartError, Reading};
use crate::place::{Day, PartName, Partition};
use crate::row::{Key, Row};

/// How often parts are listed again where some of them were merged meanwhile.
pub(crate) const LISTED_AGAIN_MAX: usize = 20;

/// All objects of a store.
pub(crate) fn list(objects: &dyn Objects) -> Result<Vec<Object>, LakeError> {
    objects.list().map_err(|error| LakeError::Store { place: objects.place(), error })
}

/// That there is no part where no lake is.
pub(crate) fn refuse_parts(objects: &dyn Objects) -> Result<(), LakeError> {
    let parts = list(objects)?.iter().filter(|object| PartName::read(&object.name).is_some()).count();
    if parts == 0 { Ok(()) } else { Err(LakeError::NotWhole { place: objects.place(), parts }) }
}

/// A lake that is there.
#[derive(Clone, Debug)]
pub struct Lake {
    objects: Arc<dyn Objects>,
    about: About,
}

/// A part that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it is.
    pub name: PartName,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The parts that were merged into it, without itself.
    pub(crate) of: Vec<String>,
}

/// The parts of a lake.
#[derive(Debug, Default)]
pub struct Parts {
    /// Those that count, in the order of their names.
    pub live: Vec<Known>,
    /// Those that stand in another one as well, where putting them together was interrupted. Nobody reads them.
    pub superseded: Vec<PartName>,
    /// Those that cannot be read, each with the reason.
    pub broken: Vec<LakeError>,
}

/// How far reading is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// Rows that were read.
    pub rows: u64,
    /// All rows.
    pub of: u64,
}

impl Lake {
    /// The lake in a store.
    ///
    /// # Errors
    ///
    /// When there is none, one of another version, or one that was not copied to its end.
    pub fn open(objects: Arc<dyn Objects>) -> Result<Lake, LakeError> {
        if notes::is_copying(&*objects)? {
            return Err(LakeError::HalfCopied(objects.place()));
        }
        Lake::opened(objects)
    }

    /// The same, also where it is being copied.
    pub(crate) fn opened(objects: Arc<dyn Objects>) -> Result<Lake, LakeError> {
        match About::read(&*objects)? {
            Some(about) => Ok(Lake { objects, about }),
            None => Err(LakeError::NoLake(objects.place())),
        }
    }

    /// The lake in a store, which is begun if need be; `fingerprints` says which those are that it gets, and `erased` which accounts were erased
    /// until when, where it is begun.
    ///
    /// # Errors
    ///
    /// When it is of another version, has other fingerprints, or there is a part of one.
    pub fn begin(
        objects: Arc<dyn Objects>,
        fingerprints: &str,
        erased: &BTreeMap<String, Time>,
    ) -> Result<Lake, LakeError> {
        if notes::is_copying(&*objects)? {
            return Err(LakeError::HalfCopied(objects.place()));
        }
        if About::read(&*objects)?.is_none() {
            // By one alone: another may have begun it meanwhile.
            let _held = objects.lock().map_err(|error| LakeError::object(&*objects, "_lock", error))?;
            if About::read(&*objects)?.is_none() {
                refuse_parts(&*objects)?;
                let mut known = Erased::read(&*objects)?;
                known.heed(notes::erasures(erased));
                known.write(&*objects)?;
                About::new(fingerprints).write(&*objects)?;
            }
        }
        let lake = Lake::opened(objects)?;
        if lake.about.fingerprints != fingerprints {
            return Err(LakeError::OtherFingerprints {
                place: lake.objects.place(),
                has: lake.about.fingerprints,
                given: fingerprints.to_owned(),
            });
        }
        Ok(lake)
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.objects.place()
    }

    /// What its fingerprints are.
    #[must_use]
    pub fn fingerprints(&self) -> &str {
        &self.about.fingerprints
    }

    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// What is known of accounts, a line of JSON each as in `accounts.jsonl`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn facts(&self) -> Result<String, LakeError> {
        notes::facts(self.objects())
    }

    /// Its parts.
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    pub fn parts(&self) -> Result<Parts, LakeError> {
        self.parts_where(&|_| true)
    }

    /// Its parts in partitions that are asked for.
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    pub fn parts_where(&self, is_asked: &dyn Fn(&Partition) -> bool) -> Result<Parts, LakeError> {
        self.parts_again(is_asked, LISTED_AGAIN_MAX)
    }

    fn parts_again(&self, is_asked: &dyn Fn(&Partition) -> bool, again: usize) -> Result<Parts, LakeError> {
        let mut parts = Parts::default();
        for object in list(self.objects())? {
            let Some(name) = PartName::read(&object.name).filter(|name| is_asked(&name.partition)) else { continue };
            match self.part(&name, object.bytes) {
                Ok(part) => {
                    parts.live.push(Known { bytes: object.bytes, rows: part.rows(), of: part.of().to_vec(), name });
                }
                // Somebody merged it with others meanwhile.
                Err(error) if error.is_gone() && again > 0 => return self.parts_again(is_asked, again - 1),
                Err(error) => parts.broken.push(error),
            }
        }
        let within: BTreeSet<(Partition, String)> = parts
            .live
            .iter()
            .flat_map(|part| part.of.iter().map(|name| (part.name.partition.clone(), name.clone())))
            .collect();
        let is_superseded = |part: &Known| within.contains(&(part.name.partition.clone(), part.name.name.clone()));
        let (superseded, live) = parts.live.into_iter().partition(is_superseded);
        let superseded: Vec<Known> = superseded;
        Ok(Parts { live, superseded: superseded.into_iter().map(|part| part.name).collect(), broken: parts.broken })
    }

    /// The partitions that have any part.
    pub(crate) fn partitions(&self) -> Result<BTreeSet<Partition>, LakeError> {
        let names = list(self.objects())?;
        Ok(names.iter().filter_map(|object| Some(PartName::read(&object.name)?.partition)).collect())
    }

    /// Opens a part of so many bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn part(&self, name: &PartName, bytes: u64) -> Result<Part, LakeError> {
        let object = name.to_string();
        let stored = self.objects.open(&object, bytes);
        let (stored, bytes) = stored.map_err(|error| LakeError::object(self.objects(), &object, error))?;
        let part = Part::open(stored, bytes).map_err(|error| LakeError::part(self.objects(), name, error))?;
        if part.fingerprints() != self.fingerprints() {
            return Err(LakeError::OtherFingerprints {
                place: self.place(),
                has: self.fingerprints().to_owned(),
                given: format!("{} (`{object}`)", part.fingerprints()),
            });
        }
        Ok(part)
    }

    pub(crate) fn erased(&self) -> Result<Erased, LakeError> {
        Erased::read(self.objects())
    }

    /// Every whole row of these parts, part by part, without what was erased.
    ///
    /// # Errors
    ///
    /// When a part cannot be read, or `sink` fails.
    pub fn rows<E: From<LakeError>>(
        &self,
        parts: &[Known],
        sink: &mut dyn FnMut(&Known, Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let erased = self.erased()?;
        for part in parts {
            let broken = |error| LakeError::part(self.objects(), &part.name, error);
            for rows in self.part(&part.name, part.bytes)?.whole().map_err(broken)? {
                let mut failed = Ok(());
                let read = rows.map_err(broken)?.each(&mut |row| {
                    let exchange = row.exchange();
                    if failed.is_ok() && !erased.has(exchange.account.as_str(), exchange.time) {
                        failed = sink(part, row);
                    }
                    Ok::<(), PartError>(())
                });
                failed?;
                read.map_err(broken)?;
            }
        }
        Ok(())
    }
}

/// Hands what `make` makes of every exchange in these lakes to `sink`, in the order of time, whatever the number of threads and however rows lie in parts.
/// `make` is asked for anew for each batch of rows, in any thread. Gives the parts that could not be read, each with the reason; `watch` hears how far it is.
///
/// # Errors
///
/// When parts cannot be listed.
pub fn by_time<T: Send, M: FnMut(&Exchange<'_>) -> T>(
    lakes: &[Lake],
    threads: usize,
    make: &(impl Fn() -> M + Sync),
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(Time, T),
) -> Result<Vec<LakeError>, LakeError> {
    let mut all = ByTime { broken: Vec::new(), step: Step::default(), watch, sink };
    let mut days: BTreeMap<Day, Vec<(&Lake, Known)>> = BTreeMap::new();
    let mut erased = Vec::new();
    for lake in lakes {
        let Parts { live, broken, .. } = lake.parts()?;
        all.broken.extend(broken);
        all.step.of += live.iter().map(|part| part.rows).sum::<u64>();
        for part in live {
            days.entry(part.name.partition.day.clone()).or_default().push((lake, part));
        }
        erased.push(lake.erased()?);
    }
    let erased = Erased::of_all(erased);
    thread::scope(|scope| {
        let (jobs, waiting) = sync_channel::<Job<T>>(1);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.max(1) {
            let (waiting, erased) = (Arc::clone(&waiting), &erased);
            scope.spawn(move || work(&waiting, erased, make));
        }
        for parts in days.into_values() {
            all.day(&parts, &jobs);
        }
    });
    Ok(all.broken)
}

/// What goes on while lakes are read by time.
struct ByTime<'r, T> {
    broken: Vec<LakeError>,
    step: Step,
    watch: &'r mut dyn FnMut(Step),
    sink: &'r mut dyn FnMut(Time, T),
}

impl<T> ByTime<'_, T> {
    /// The rows of one day.
    fn day(&mut self, parts: &[(&Lake, Known)], jobs: &SyncSender<Job<T>>) {
        let mut heads: BinaryHeap<Reverse<(Key, usize)>> = BinaryHeap::new();
        let (parts, readings) = self.open_day(parts);
        let mut lanes: Vec<Option<Lane<T>>> =
            readings.into_iter().map(|reading| reading.map(|reading| Lane::begin(reading, jobs))).collect();
        for at in 0..lanes.len() {
            self.advance(&parts, &mut lanes, at, jobs, &mut heads);
        }
        let mut last: Option<Key> = None;
        while let Some(Reverse((key, at))) = heads.pop() {
            let made = lanes.get_mut(at).and_then(Option::as_mut).and_then(|lane| lane.head.take());
            // What is there twice counts once.
            if let Some(made) = made.filter(|_| last.as_ref() != Some(&key)) {
                (self.sink)(key.0, made);
            }
            last = Some(key);
            self.advance(&parts, &mut lanes, at, jobs, &mut heads);
            self.step.rows += 1;
            if self.step.rows.is_multiple_of(WATCHED_EVERY) {
                (self.watch)(self.step);
            }
        }
        (self.watch)(self.step);
    }

    /// Opens the parts of a day; lists them again where some were merged meanwhile. Once open, they are read whatever becomes of them.
    fn open_day<'l>(&mut self, parts: &[(&'l Lake, Known)]) -> (Vec<(&'l Lake, Known)>, Vec<Option<Reading>>) {
        let mut parts = parts.to_vec();
        for again in (0..=LISTED_AGAIN_MAX).rev() {
            let open = |(lake, part): &(&Lake, Known)| {
                let read = lake.part(&part.name, part.bytes)?;
                read.for_a_hunt().map_err(|error| LakeError::part(lake.objects(), &part.name, error))
            };
            let readings: Vec<Result<Reading, LakeError>> = parts.iter().map(open).collect();
            let is_gone = |reading: &Result<Reading, LakeError>| reading.as_ref().is_err_and(LakeError::is_gone);
            let listed = parts.first().filter(|_| again > 0 && readings.iter().any(is_gone)).map(|(_, part)| {
                let day = part.name.partition.day.clone();
                let mut lakes: Vec<&Lake> = parts.iter().map(|(lake, _)| *lake).collect();
                lakes.dedup_by_key(|lake| std::ptr::from_ref(*lake));
                let parts_of = |lake: &'l Lake| {
                    Ok(lake
                        .parts_where(&|partition| partition.day == day)?
                        .live
                        .into_iter()
                        .map(move |part| (lake, part)))
                };
                lakes.into_iter().map(parts_of).collect::<Result<Vec<_>, LakeError>>()
            });
            if let Some(Ok(listed)) = listed {
                parts = listed.into_iter().flatten().collect();
                continue;
            }
            let mut opened = Vec::new();
            for reading in readings {
                opened.push(match reading {
                    Ok(reading) => Some(reading),
                    Err(error) => {
                        self.broken.push(error);
                        None
                    }
                });
            }
            return (parts, opened);
        }
        (Vec::new(), Vec::new())
    }

    fn advance(
        &mut self,
        parts: &[(&Lake, Known)],
        lanes: &mut [Option<Lane<T>>],
        at: usize,
        jobs: &SyncSender<Job<T>>,
        heads: &mut BinaryHeap<Reverse<(Key, usize)>>,
    ) {
        let Some(lane) = lanes.get_mut(at).and_then(Option::as_mut) else { return };
        match (lane.advance(jobs), parts.get(at)) {
            (Some(Ok(key)), _) => heads.push(Reverse((key, at))),
            (Some(Err(error)), Some((lake, part))) => {
                self.broken.push(LakeError::part(lake.objects(), &part.name, error));
            }
            _ => {}
        }
    }
}

/// Rows between two looks of whoever watches.
const WATCHED_EVERY: u64 = 4096;

/// What was made of the next rows of a part, and the rest of it.
type Batch<T> = Option<(Result<Vec<(Key, T)>, PartError>, Reading)>;

/// The next rows of a part, to be read by whoever is free.
struct Job<T> {
    reading: Reading,
    done: SyncSender<Batch<T>>,
}

fn work<T, M: FnMut(&Exchange<'_>) -> T>(waiting: &Mutex<Receiver<Job<T>>>, erased: &Erased, make: &impl Fn() -> M) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut reading, done }) = job else { return };
        let batch = reading.next().map(|rows| {
            let (mut made, mut make) = (Vec::new(), make());
            let mut see = |row: Row<'_>| {
                let (time, account, id) = row.order();
                if !erased.has(account, time) {
                    made.push(((time, account.into(), id.into()), make(row.exchange())));
                }
                Ok::<(), PartError>(())
            };
            let read = rows.and_then(|rows| rows.each(&mut see));
            (read.map(|()| made), reading)
        });
        // Nobody waits any more where reading was given up.
        done.send(batch).ok();
    }
}

/// A part that is read: the rows at hand, and those that somebody reads meanwhile.
struct Lane<T> {
    rows: std::vec::IntoIter<(Key, T)>,
    head: Option<T>,
    next: Option<Receiver<Batch<T>>>,
}

impl<T> Lane<T> {
    fn begin(reading: Reading, jobs: &SyncSender<Job<T>>) -> Lane<T> {
        let mut lane = Lane { rows: Vec::new().into_iter(), head: None, next: None };
        lane.ask(reading, jobs);
        lane
    }

    fn ask(&mut self, reading: Reading, jobs: &SyncSender<Job<T>>) {
        let (done, next) = sync_channel(1);
        self.next = jobs.send(Job { reading, done }).is_ok().then_some(next);
    }

    /// Goes on to the next row.
    fn advance(&mut self, jobs: &SyncSender<Job<T>>) -> Option<Result<Key, PartError>> {
        loop {
            if let Some((key, made)) = self.rows.next() {
                self.head = Some(made);
                return Some(Ok(key));
            }
            let (rows, reading) = self.next.take()?.recv().ok()??;
            match rows {
                Ok(rows) => {
                    self.rows = rows.into_iter();
                    self.ask(reading, jobs);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
