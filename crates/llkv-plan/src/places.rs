//! Where shared rows are read.

use crate::LogicalPlan;
use crate::walk::take;
use hashbrown::HashMap;

/// Tells all shared parts of a finished plan how many places read them. What one place alone reads is not shared.
pub(crate) fn count_places(plan: &mut LogicalPlan) {
    let mut places = HashMap::new();
    count(plan, &mut places);
    tell(plan, &places);
}

fn count(plan: &LogicalPlan, places: &mut HashMap<u32, u32>) {
    if let LogicalPlan::Shared(shared) = plan {
        *places.entry(shared.number).or_default() += 1;
    }
    plan.for_each_input(&mut |input| count(input, places));
}

fn tell(plan: &mut LogicalPlan, places: &HashMap<u32, u32>) {
    while let LogicalPlan::Shared(shared) = plan {
        shared.places = places.get(&shared.number).copied().unwrap_or_default();
        if shared.places > 1 {
            break;
        }
        *plan = take(&mut shared.input);
    }
    plan.for_each_input_mut(&mut |input| tell(input, places));
}
