//! A message as a store gave it, owned: what of it is wanted goes to the intake.

use super::intake::{Message, Wanted};
use super::reading::Reading;
use bytes::Bytes;
use serde_json::value::RawValue;

/// One message of an answer.
pub(super) enum Stored {
    Protobuf(Bytes),
    Json(Box<RawValue>),
    CloudTrace(Bytes),
}

impl Stored {
    pub(super) fn message(&self) -> Message<'_> {
        match self {
            Stored::Protobuf(bytes) => Message::Protobuf(bytes),
            Stored::Json(text) => Message::Json(text.get().as_bytes()),
            Stored::CloudTrace(text) => Message::CloudTrace(text),
        }
    }
}

/// Takes in what is wanted; what can not be taken in is told to the verdict, by the store's name.
pub(super) fn take(reading: &mut Reading, store: &str, stored: &[Stored], wanted: &Wanted<'_>) {
    for message in stored.iter().map(Stored::message) {
        let intake = &mut reading.intake;
        if let Err(error) = intake.take_wanted(message, message.bytes() as u64, wanted) {
            intake.incomplete(&format!("an answer of {store}: {error}"));
        }
    }
}
