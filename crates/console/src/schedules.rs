//! Schedules: hunts that are run again and again, made and removed by people. [`scheduler`](crate::scheduler) runs them.

use std::sync::Arc;

use admin::person::Role;
use admin::schedule::Schedule;
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::post;
use exchange::Time;
use report::words::{counted, minute, printable};
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::limits::{SCHEDULE_DAYS_MAX, VIEW_NAME_CHARS_MAX};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Cell, Column, Row, Table};
use crate::times;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/schedules", Needs::Role(Role::Analyst), post(add)),
        Route::post("/schedules/{id}/remove", Needs::Role(Role::Analyst), post(remove)),
    ]
}

/// The schedules, as the page of hunts shows them.
pub(crate) fn table(schedules: &[Schedule], now: Time) -> Table {
    let row = |schedule: &Schedule| {
        let looks = match schedule.days {
            Some(days) => format!("the last {}", counted(u64::from(days), "day")),
            None => "all that there is".to_owned(),
        };
        let every = match schedule.hours {
            hours if hours % 24 == 0 => counted(u64::from(hours / 24), "day"),
            hours => counted(u64::from(hours), "hour"),
        };
        let cells = vec![
            Cell::text(&schedule.name),
            Cell::text(looks),
            Cell::text(if schedule.in_lake { "the lake" } else { "recorded files" }),
            Cell::text(format!("every {}", every.trim_start_matches("1 "))),
            Cell::text(minute(schedule.next(now))),
            Cell::text(&schedule.by),
        ];
        Row::new(&schedule.id, cells)
    };
    let columns = [
        Column::text("schedule"),
        Column::text("looks at"),
        Column::text("in"),
        Column::text("runs"),
        Column::text("next"),
        Column::text("made by"),
    ];
    Table::new("schedules", "Hunts on a schedule", &columns, schedules.iter().map(row).collect())
        .or("None yet. A hunt on a schedule looks again and again at what was sent lately.")
}

/// A schedule as it is filled in.
#[derive(Debug, Deserialize)]
struct Filled {
    name: String,
    place: String,
    #[serde(default)]
    days: String,
    every: String,
    #[serde(default)]
    first: String,
}

async fn add(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Filled>, FormRejection>,
) -> Page {
    let Form(filled) = form?;
    let now = console.admin.clock.now();
    let schedule = console.registry(&visit).add_schedule(typed(&filled, visit.name(), now)?, now).await?;
    let name = printable(&schedule.name, VIEW_NAME_CHARS_MAX);
    let told = match schedule.is_due(None, now) {
        true => format!("{name} runs now, and next at {}.", minute(schedule.next(now))),
        false => format!("{name} runs next at {}.", minute(schedule.next(now))),
    };
    console.sessions.leave(&visit, told);
    Ok(Redirect::to("/hunts#schedules").into_response())
}

/// The schedule that was typed, which has no id yet.
fn typed(filled: &Filled, by: &str, now: Time) -> Result<Schedule, Fault> {
    let Filled { name, place, days, every, first } = filled;
    let name = form::line("name", name, 1..=VIEW_NAME_CHARS_MAX)?.to_owned();
    let in_lake = match place.as_str() {
        "recorded" => false,
        "lake" => true,
        _ => return Err(Fault::bad("`place`: expected `recorded` or `lake`")),
    };
    let days = match days.trim() {
        "" => None,
        days => Some(times::days(days, SCHEDULE_DAYS_MAX)?),
    };
    let most = SCHEDULE_DAYS_MAX * 24;
    let hours = every.trim().parse().ok().filter(|hours| (1..=most).contains(hours));
    let hours =
        hours.ok_or_else(|| Fault::bad(format!("`every`: expected a whole number of hours from 1 to {most}")))?;
    let first = times::typed("first", first)?.unwrap_or(now);
    let most = i64::from(SCHEDULE_DAYS_MAX);
    if first < times::later(now, -most) || first > times::later(now, most) {
        return Err(Fault::bad(format!("`first`: expected a time at most {SCHEDULE_DAYS_MAX} days from now")));
    }
    Ok(Schedule { id: String::new(), name, in_lake, days, hours, first, since: now, by: by.to_owned() })
}

async fn remove(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Page {
    console.registry(&visit).remove_schedule(&id).await?;
    console.sessions.leave(&visit, "The schedule is removed; hunts that it ran stay.".to_owned());
    Ok(Redirect::to("/hunts#schedules").into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_look_back_wait_and_begin_within_so_many_days() {
        let now = Time::from_seconds(1_800_000_000);
        let most = SCHEDULE_DAYS_MAX;
        let of = |days: &str, every: &str, first: &str| {
            let [name, place, days, every, first] = ["Week", "lake", days, every, first].map(str::to_owned);
            typed(&Filled { name, place, days, every, first }, "ann", now)
        };
        let longest = of(&most.to_string(), &(most * 24).to_string(), "").unwrap();
        assert_eq!((longest.days, longest.hours, longest.first), (Some(most), most * 24, now));
        assert_eq!(of("", "1", "").unwrap().days, None);
        assert!(of(&(most + 1).to_string(), "1", "").is_err());
        for every in ["0", "", "1.5", &(most * 24 + 1).to_string()] {
            assert!(of("", every, "").is_err(), "{every}");
        }
        for (days, is_taken) in [(most.into(), true), (i64::from(most) + 1, false)] {
            for days in [days, -days] {
                assert_eq!(of("", "1", &times::later(now, days).to_string()).is_ok(), is_taken, "{days}");
            }
        }
    }
}
