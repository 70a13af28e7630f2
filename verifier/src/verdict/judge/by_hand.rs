//! Stages whose users a person has changed while they ran: what a reader must know of them.

use crate::record::Observation;
use crate::verdict::align::Timeline;

/// How many users each change of a stage's users left, in order.
pub fn users_by_hand(timeline: &Timeline<'_>, index: usize) -> Vec<u32> {
    let users = timeline.observations().filter_map(|o| match *o {
        Observation::UsersChanged { stage, users } if usize::from(stage) == index => Some(users),
        _ => None,
    });
    users.collect()
}

/// One sentence a stage.
pub(super) fn warnings(timeline: &Timeline<'_>) -> Vec<String> {
    let stages = timeline.plan.stages.iter().enumerate();
    let sentences = stages.filter_map(|(index, stage)| {
        let users = users_by_hand(timeline, index);
        let (least, most) = (users.iter().min()?, users.iter().max()?);
        let times = match users.len() {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        let to = match least == most {
            true => format!("to {most}"),
            false => format!("to between {least} and {most}"),
        };
        Some(format!(
            "the users of {} were changed by hand, {times}, {to}: its load is not the plan's, and no other run has the same",
            stage.name
        ))
    });
    sentences.collect()
}
