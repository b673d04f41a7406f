//! Recorded exchanges without their texts, as Parquet.
//!
//! Rows are in parts, one Parquet file each, in the order of time; parts are in folders by day and by a hash of the account. Texts are
//! sealed or left out. Everything is written whole or not at all, and says itself what it is, so that whatever is interrupted goes on where it was.

mod changing;
mod checking;
mod columns;
mod copying;
mod error;
mod lake;
pub mod limits;
mod notes;
pub mod objects;
mod only;
pub mod part;
pub mod place;
pub mod row;
pub mod search;
mod sums;

pub use changing::{Added, Adding, Changed, Changing, Mode, Watch};
pub use checking::{Checked, OfDay, Stat};
pub use copying::{Copied, copy};
pub use error::LakeError;
pub use lake::{Known, Lake, Parts, Step, by_time};
pub use notes::{FACTS, Taken};
