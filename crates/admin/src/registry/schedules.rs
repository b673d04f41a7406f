//! Schedules of hunts, kept beside what else is known.

use exchange::Time;
use store::control::Entry;

use super::{Registry, RegistryError, entry, missing, random};
use crate::kind::SCHEDULE;
use crate::limits::SCHEDULES_MAX;
use crate::schedule::Schedule;

impl Registry {
    /// Every schedule, in the order of their names.
    pub async fn schedules(&self) -> Vec<Schedule> {
        let mut schedules: Vec<Schedule> = self.known.lock().await.schedules.values().cloned().collect();
        schedules.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        schedules
    }

    /// Adds a schedule, with an id of its own and since now.
    ///
    /// # Errors
    ///
    /// When there are too many, or it cannot be written.
    pub async fn add_schedule(&self, schedule: Schedule, now: Time) -> Result<Schedule, RegistryError> {
        let [a, b, c, d, e, f, ..] = random()?;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let schedule = Schedule { id: format!("sch_{number:012x}"), since: now, ..schedule };
        let mut known = self.known.lock().await;
        if known.schedules.len() >= SCHEDULES_MAX {
            return Err(RegistryError::TooManySchedules);
        }
        self.put(&mut known, &[entry(SCHEDULE, &schedule.id, &schedule)]).await?;
        Ok(schedule)
    }

    /// Removes a schedule.
    ///
    /// # Errors
    ///
    /// When there is none of that id, or it cannot be written.
    pub async fn remove_schedule(&self, id: &str) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        if !known.schedules.contains_key(id) {
            return Err(missing(SCHEDULE, id));
        }
        self.put(&mut known, &[Entry::gone(SCHEDULE, id)]).await
    }
}

#[cfg(test)]
mod tests {
    use store::control::Control;

    use super::*;

    #[tokio::test]
    async fn so_many_schedules_are_kept_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        let now = Time::from_seconds(1_800_000_000);
        let schedule = |number: usize| Schedule {
            id: String::new(),
            name: format!("s{number:02}"),
            in_lake: true,
            days: None,
            hours: 24,
            first: now,
            since: Time::from_seconds(0),
            by: "ann".to_owned(),
        };
        for number in (0..SCHEDULES_MAX).rev() {
            registry.add_schedule(schedule(number), now).await.unwrap();
        }
        assert!(matches!(registry.add_schedule(schedule(99), now).await, Err(RegistryError::TooManySchedules)));
        let first = registry.schedules().await.remove(0);
        assert_eq!((first.name.as_str(), first.since), ("s00", now));
        registry.remove_schedule(&first.id).await.unwrap();
        assert!(registry.remove_schedule(&first.id).await.is_err());
        drop(registry);
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        assert_eq!(
            (registry.schedules().await.len(), registry.schedules().await[0].name.as_str()),
            (SCHEDULES_MAX - 1, "s01")
        );
    }
}
