//! What an outlet says, of which nothing is believed.

use super::{End, Keeper, Session, bad};
use crate::{
    app::outlet::relay::RENEW_AFTER,
    kubernetes::Change,
    wire::{OPEN_MAX, Prepared, Report, What},
};

impl Keeper {
    /// Takes a word of the outlet.
    pub(super) fn hear(&mut self, report: Report, session: &mut Session) -> Option<End> {
        session.quiet = 0;
        let Some(credit) = session.credit.checked_sub(1) else {
            return Some(End::Bad("it floods".to_owned()));
        };
        session.credit = credit;
        match report {
            Report::Beat => None,
            // Half of what an honest one waits, for clocks that differ.
            Report::Renew if session.began.elapsed() < RENEW_AFTER / 2 => {
                bad("it asks for another too soon")
            }
            Report::Renew => {
                session.replace();
                None
            }
            Report::Accepted(number) if self.backlog.accept(number) => None,
            Report::Accepted(_) => bad("it accepts what it was not told"),
            Report::Ask(id, what) => self.ask((id, what), session),
            Report::Prepared(id, prepared) => self.prepared(id, prepared),
            Report::Stopped(left) => match &session.leave {
                Some(leave) if leave.told && leave.again => Some(End::Restart),
                Some(leave) if leave.told => Some(End::Stopped),
                _ => bad(&format!("it stops untold with {left} left")),
            },
            Report::Pods(changes) => self.pods(changes, session),
            Report::Ready(_) | Report::Refused(..) => bad("it begins twice"),
        }
    }

    fn pods(&self, changes: Vec<Change>, session: &mut Session) -> Option<End> {
        let Some(pods) = &mut session.pods else {
            return bad("it names pods, for which nobody has asked");
        };
        match pods.hear(changes) {
            Ok(left_out) => {
                self.core.outlet.set_pods(pods.count(), left_out);
                None
            }
            Err(why) => bad(why),
        }
    }

    fn ask(&self, (id, what): (u32, What), session: &mut Session) -> Option<End> {
        if session.open >= OPEN_MAX {
            return bad("it asks too much at once");
        }
        session.open += 1;
        let questions = self.questions.clone();
        session
            .asked
            .spawn(async move { (id, questions.answer(what).await) });
        None
    }

    fn prepared(&mut self, id: u32, prepared: Prepared) -> Option<End> {
        match self.preparing.take() {
            Some(preparing) if preparing.id == id => {
                preparing.answer(self.count, prepared);
                None
            }
            preparing => {
                self.preparing = preparing;
                bad("it has prepared what nobody asked for")
            }
        }
    }
}
