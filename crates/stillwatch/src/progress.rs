//! How far a long run is, on a terminal only: a pipe or a file gets nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vault::Progress;

/// How often it is drawn how far reading models is.
const STEP_TIME: Duration = Duration::from_millis(100);

/// Progress over bytes read, with the number of exchanges, their rate and the time left.
pub(crate) fn reading(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {percent:>3} %  {bytes}/{total_bytes}  {binary_bytes_per_sec}  {msg}  {eta} left",
        ),
        None => (ProgressBar::no_length(), "{spinner} {bytes}  {binary_bytes_per_sec}  {msg}  {elapsed}"),
    };
    styled(bar, template)
}

/// Progress over steps of the same kind.
pub(crate) fn steps(count: u64) -> ProgressBar {
    styled(ProgressBar::new(count), "{bar:30} {pos}/{len}  {msg}  {eta} left")
}

/// Something whose length is not known.
pub(crate) fn waiting(what: &str) -> ProgressBar {
    styled(ProgressBar::no_length(), "{spinner} {msg}  {elapsed}").with_message(what.to_owned())
}

/// Does something with so many bytes of models, while it is drawn how far it is.
pub(crate) fn of_models<T>(bytes: u64, work: impl FnOnce(&Progress) -> T) -> T {
    let (progress, is_done) = (Progress::default(), AtomicBool::new(false));
    let bar = reading(Some(bytes));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                bar.set_position(progress.bytes());
                thread::park_timeout(STEP_TIME);
            }
        });
        let done = work(&progress);
        is_done.store(true, Ordering::Relaxed);
        done
    });
    bar.finish_and_clear();
    done
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
