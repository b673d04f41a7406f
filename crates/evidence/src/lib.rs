//! Case files: what was found and done about one campaign, for somebody who decides about it and has nothing else.
//!
//! Promises that raw records stand apart from what was inferred from them, that an element of a claim without an exhibit is said to be not shown, and
//! that what speaks against the finding gets the same room. Refuses to judge: it says what is there. Does no IO: it makes bytes of what it is given.
//!
//! [`case`] is what a case is made of, [`elements`] what a claim has to show and by what, [`method`] how it was found and how often that is wrong,
//! [`report`] puts it into words as a [`document`], which [`html`] and [`pdf`] draw, and [`archive`] packs it.

pub mod archive;
pub mod case;
pub mod document;
pub mod elements;
pub mod html;
pub mod limits;
pub mod method;
pub mod pdf;
pub mod report;

pub use case::{Attachment, Case, Entry, Record};
