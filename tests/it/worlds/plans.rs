//! What holds for the plan of every world, whatever is broken in it.

use std::collections::BTreeSet;

use ecr_fix::actions::{AnyChange, Kind};
use ecr_fix::diagnosis::{self, Verdict};
use ecr_fix::judges::Options;
use ecr_fix::model::Snapshot;
use ecr_fix::plan::{self, Owned, Plan, Selection};
use ecr_fix::pulls::{Scope, World};
use jiff::{SignedDuration, Timestamp};

use super::faults::{Fault, contradict};
use super::ground::{Ground, Topology};
use super::{Dice, broken, everywhere, faults_of, none};

/// How often faults are drawn for one world: what contradicts itself, and what was drawn before, makes none.
const TRIES: usize = 160;

/// How many plans were looked at, and what is wrong of them.
#[derive(Default)]
struct Tally {
    worlds: usize,
    actions: usize,
    most: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn look_at(&mut self, topology: Topology, faults: &[&Fault]) {
        let names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
        let (actions, broken_laws) = laws_that_do_not_hold(&broken(topology, faults));
        self.worlds += 1;
        self.actions += actions;
        self.most = self.most.max(actions);
        self.wrong.extend(broken_laws.iter().map(|law| format!("{topology:?} {names:?}: {law}")));
    }
}

fn request(ground: &Ground) -> plan::Request {
    plan::Request {
        scope: Scope { images: ground.images.clone(), ..Scope::default() },
        options: Options::default(),
        selection: Selection::default(),
        owned: Owned::default(),
        now: Timestamp::UNIX_EPOCH,
        time_to_live: SignedDuration::from_hours(24),
        looks_for_others: false,
    }
}

/// How many actions the plan of a world has, and what it does that no plan may do.
fn laws_that_do_not_hold(ground: &Ground) -> (usize, Vec<String>) {
    let (before, request) = (ground.snapshot(), request(ground));
    let plan_of = |world: &Snapshot| plan::build(world, &request).unwrap();
    let plan = plan_of(&before);
    let changes: Vec<AnyChange> = plan.actions.iter().map(|action| action.change().unwrap()).collect();
    let mut wrong = Vec::new();
    if serde_json::to_string(&plan).unwrap() != serde_json::to_string(&plan_of(&before)).unwrap() {
        wrong.push("planned twice, it is two plans".to_owned());
    }
    let after = made(&before, &changes);
    let next = plan_of(&after);
    let left: Vec<&str> = next.actions.iter().map(|action| action.summary.as_str()).collect();
    if !left.is_empty() {
        wrong.push(format!("after it there is more to do: {left:?}"));
    }
    if next.proof.before != plan.proof.after {
        wrong.push(format!("it proves {:?}, and leaves {:?}", plan.proof.after, next.proof.before));
    }
    let newly: Vec<String> = blocked_pulls(&next).difference(&blocked_pulls(&plan)).cloned().collect();
    if !newly.is_empty() {
        wrong.push(format!("it blocks pulls that worked: {newly:?}"));
    }
    let inverses: Vec<AnyChange> = changes.iter().rev().map(AnyChange::inverse).collect();
    if made(&after, &inverses) != before {
        wrong.push("its inverse does not give the world back".to_owned());
    }
    for change in changes.iter().chain(&inverses) {
        wrong.extend(change.allowed().err().map(|because| format!("{}: {because}", change.summary())));
    }
    for change in &changes {
        wrong.extend(
            change.planned_for(&plan.target).err().map(|because| format!("{}: {because}", change.summary())),
        );
    }
    let blocked = blocked_legs(&after, &request);
    for (index, change) in changes.iter().enumerate() {
        let others: Vec<AnyChange> = changes
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index)
            .map(|(_, other)| other.clone())
            .collect();
        if blocked_legs(&made(&before, &others), &request) == blocked {
            wrong.push(format!("nothing needs: {}", change.summary()));
        }
    }
    // Beyond the pulls only a default route opens something, unless the group lets nothing out; and the plan says so.
    let leads_out =
        plan.actions.iter().any(|action| matches!(action.kind, Kind::CreateRoute | Kind::ReplaceRoute));
    let is_open = lets_everything_out(&after, "sg-cluster");
    let opens = &plan.proof.newly_reachable;
    if (leads_out && is_open && opens.is_empty()) || (!leads_out && !opens.is_empty()) {
        wrong.push(format!("it says that it opens {opens:?}"));
    }
    (changes.len(), wrong)
}

fn lets_everything_out(world: &Snapshot, group: &str) -> bool {
    let group = world.ec2.security_groups.get(group);
    let mut ranges =
        group.into_iter().flat_map(|group| &group.ip_permissions_egress).flat_map(|rule| &rule.ip_ranges);
    ranges.any(|range| range.cidr_ip.is_some_and(|block| block.prefix_len() == 0))
}

fn made(world: &Snapshot, changes: &[AnyChange]) -> Snapshot {
    let mut world = world.clone();
    changes.iter().for_each(|change| change.simulate(&mut world));
    world
}

fn blocked_pulls(plan: &Plan) -> BTreeSet<String> {
    let paths = plan.diagnosis.pull_paths.iter();
    paths.filter(|path| path.verdict == Verdict::Blocked).map(|path| path.id.clone()).collect()
}

fn blocked_legs(snapshot: &Snapshot, request: &plan::Request) -> BTreeSet<String> {
    let world = World::of(snapshot, &request.scope).unwrap();
    let verdicts = diagnosis::judged(&world, &request.options);
    verdicts.blocked_legs().into_iter().map(|(pull, leg)| format!("{} {pull}", leg.as_str())).collect()
}

/// Every fault alone, and many pairs and triples.
fn look_at_plans(topology: Topology) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice(0x00F1_7ED5 ^ (topology as u64) << 32);
    let faults = faults_of(topology);
    for fault in &faults {
        tally.look_at(topology, &[fault]);
    }
    for size in [2, 3] {
        let mut drawn: BTreeSet<Vec<&str>> = BTreeSet::new();
        for _ in 0..TRIES {
            let some: Vec<&Fault> = (0..size).map(|_| faults[dice.below(faults.len())]).collect();
            let clash = |at: usize| {
                some[..at].iter().any(|other| other.name == some[at].name || contradict(other, some[at]))
            };
            let mut names: Vec<&str> = some.iter().map(|fault| fault.name).collect();
            names.sort_unstable();
            if !(0..size).any(clash) && drawn.insert(names) {
                tally.look_at(topology, &some);
            }
        }
    }
    tally
}

#[test]
fn plans_mend_what_can_be_mended_and_nothing_else() {
    let tallies = everywhere(look_at_plans);
    let count = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (worlds, actions) = (count(|tally| tally.worlds), count(|tally| tally.actions));
    let most = tallies.iter().map(|tally| tally.most).max().unwrap_or_default();
    none(tallies.into_iter().flat_map(|tally| tally.wrong).collect());
    println!("{worlds} plans with {actions} actions, {most} at the most: every law holds");
}
