//! Runs hunts when their schedules say so.
//!
//! Promises that each runs once for the time that it was to run at, and once for all that were missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use admin::schedule::Schedule;
use exchange::Time;

use crate::context::Console;
use crate::fault::Fault;
use crate::hunt::{Asked, Where};
use crate::limits::SCHEDULE_TIME;
use crate::{hunts, times};

/// Runs hunts when schedules are due, for ever. `say` tells what cannot be done.
pub async fn keep_to(console: Arc<Console>, say: fn(&str)) {
    let mut ran = BTreeMap::new();
    let mut told = String::new();
    loop {
        tokio::time::sleep(SCHEDULE_TIME).await;
        // Told once, and not every few seconds.
        match run_due(&console, &mut ran).await {
            Ok(()) => told.clear(),
            Err(why) if why.message() == told => {}
            Err(why) => {
                why.message().clone_into(&mut told);
                say(&format!("a hunt on a schedule: {told}"));
            }
        }
    }
}

/// Begins what is due; `ran` remembers when each last was.
async fn run_due(console: &Arc<Console>, ran: &mut BTreeMap<String, Time>) -> Result<(), Fault> {
    let schedules = console.admin.registry.schedules().await;
    ran.retain(|id, _| schedules.iter().any(|schedule| schedule.id == *id));
    if schedules.is_empty() {
        return Ok(());
    }
    // What an earlier process began.
    for hunt in hunts::known(console).await? {
        if let Some(schedule) = hunt.schedule {
            let last = ran.entry(schedule).or_insert(hunt.asked);
            *last = (*last).max(hunt.asked);
        }
    }
    let now = console.admin.clock.now();
    let mut failed = None;
    let due: Vec<Schedule> =
        schedules.into_iter().filter(|schedule| schedule.is_due(ran.get(&schedule.id).copied(), now)).collect();
    for Schedule { id, days, in_lake, by, .. } in due {
        let from = days.map(|days| times::later(now, -i64::from(days)));
        let place = if in_lake { Where::Lake } else { Where::Recorded };
        let asked = Asked { by, now, place, from, until: None, schedule: Some(id.clone()) };
        match hunts::ask(console, asked).await {
            Ok(_) => drop(ran.insert(id, now)),
            Err(why) => failed = Some(why),
        }
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::Rig;

    #[tokio::test]
    async fn what_is_due_is_run_once() {
        let rig = Rig::new().await;
        let now = rig.admin.clock.now();
        let schedule = |name: &str, in_lake: bool, first: Time| Schedule {
            id: String::new(),
            name: name.to_owned(),
            in_lake,
            days: Some(7),
            hours: 24,
            first,
            since: now,
            by: "ann".to_owned(),
        };
        let registry = &rig.admin.registry;
        let due = registry.add_schedule(schedule("due", false, now), now).await.unwrap();
        registry.add_schedule(schedule("later", false, times::later(now, 1)), now).await.unwrap();
        let mut ran = BTreeMap::new();
        run_due(&rig.console, &mut ran).await.unwrap();
        run_due(&rig.console, &mut ran).await.unwrap();
        let begun = rig.begun.lock().unwrap().clone();
        assert_eq!((begun.len(), ran.len()), (1, 1), "{begun:?}");
        let hunt = &begun[0];
        assert_eq!(
            (hunt.by.as_str(), hunt.schedule.as_ref(), hunt.from),
            ("ann", Some(&due.id), Some(times::later(hunt.asked, -7)))
        );
        // Another process knows from the hunts that it ran; one that cannot be begun is told, and the others run.
        run_due(&rig.console, &mut BTreeMap::new()).await.unwrap();
        assert_eq!(rig.begun.lock().unwrap().len(), 1);
        registry.add_schedule(schedule("a lake", true, now), now).await.unwrap();
        registry.add_schedule(schedule("zero", false, now), now).await.unwrap();
        assert!(run_due(&rig.console, &mut ran).await.is_err());
        assert_eq!(rig.begun.lock().unwrap().len(), 2);
    }
}
