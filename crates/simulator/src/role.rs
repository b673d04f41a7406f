//! Kinds of honest accounts.

use serde::{Deserialize, Serialize};

/// The kind of an honest account, as its label says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A person who chats.
    Chat,
    /// A developer with a project.
    Developer,
    /// A product: one template, thousands of end users, one account.
    Saas,
    /// A user of a popular public agent, whose system prompt thousands share.
    PublicAgent,
    /// A user of a public prompt library.
    PromptLibrary,
    /// An account of an enterprise: many accounts or keys, one payer.
    Enterprise,
    /// An organisation that replays a public benchmark.
    Evaluation,
    /// A nightly job over a data set.
    Batch,
    /// A student of a class with one exercise, on one evening, from one campus.
    Class,
    /// A participant of a hackathon: new accounts, one venue.
    Hackathon,
    /// A customer behind a carrier's shared addresses or a company's exit.
    SharedNetwork,
    /// A load test.
    LoadTest,
    /// A research group with an approval to train on outputs.
    Research,
    /// One of the crowd that comes on launch day.
    Launch,
    /// Somebody who puts one phrase that many know into some of the requests.
    Phrase,
    /// A small program after a tutorial: single requests, as they come.
    Tutorial,
    /// A site with a plugin that runs by the clock.
    Plugin,
    /// A reader of a digest that a workflow makes at an hour of his own.
    Digest,
    /// A seat of a small firm's subscription, with so many requests a day.
    Seat,
    /// A customer of a white-label platform, which sends from few addresses for all.
    Shop,
    /// A student of a course with accounts made for it, who grades texts by the course's rubric.
    Course,
    /// A student who labels items of her own with the given prompt.
    Homework,
    /// One of many who came by a voucher and use the same gallery of prompts.
    Voucher,
    /// An account of an organisation that closes accounts and opens new ones in their place.
    Turnover,
    /// A participant of an evaluation: everybody is asked to run the same list.
    SharedList,
    /// A repository with a review bot, which runs on rented machines.
    ReviewBot,
}
