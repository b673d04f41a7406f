//! Reply: does nobody in the group care for the answers, and does everybody ask for them in the same way?
//!
//! A harvest takes each answer once: no turn follows, and one program sets the same temperature and the same budget for all.
//! Statistic: the inverse of the share of exchanges that continue a conversation, times the inverse of the share whose settings
//! are not the commonest ones, each bounded. Null: the group is like the deployment's other groups.
//! Calibrated by comparison with these ([`crate::evalue::conformal`]): where honest products send single questions under fixed settings
//! as well, it says nothing. Needs [`EXCHANGES_MIN`] exchanges. Fails where honest programs are rare and all others chat.

use crate::signs::scene::{Scene, conduct_evidence};
use crate::state::conduct::Conduct;
use findings::number::percent;
use findings::{Evidence, SignalFamily};

/// Weighs how answers are asked for and what follows them.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let conduct = &scene.trial.conduct;
    let taken = taken_once(conduct)?;
    let followed = conduct.follow_ups as f64 / conduct.exchanges.max(1) as f64;
    let same =
        |share| format!(" Settings such as temperature and length of the answer are the same in {}.", percent(share));
    let settings = conduct.settings.share().map_or_else(String::new, same);
    let text = format!(
        "Of the requests {} go on with a conversation; all others take one answer and ask no further.{settings} People ask \
         back; programs hardly do, honest ones included.",
        percent(followed)
    );
    conduct_evidence(scene, SignalFamily::Reply, |measures| measures.reply, taken, text)
}

/// How much answers are taken once and in one way; none when too little was seen.
#[must_use]
pub(crate) fn taken_once(conduct: &Conduct) -> Option<f64> {
    (conduct.exchanges >= EXCHANGES_MIN).then(|| {
        let followed = conduct.follow_ups as f64 / conduct.exchanges as f64;
        let other = conduct.settings.share().map_or(1.0, |share| 1.0 - share);
        1.0 / ((followed + SHARE_MIN) * (other + SHARE_MIN))
    })
}

/// Fewer exchanges say nothing.
const EXCHANGES_MIN: u64 = 24;
/// Smaller shares are all alike.
const SHARE_MIN: f64 = 0.05;
