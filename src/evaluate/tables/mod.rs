//! The paper's Tables 1 and 2 beside what the same networks reach here, on synthetic spines.
//!
//! The paper's data cannot be had, so its figures cannot be checked; what can be shown is how the
//! networks compare on data that anybody can make again. Whatever comes out is what is printed.

pub mod budget;
pub mod machine;
pub mod page;
mod plot;
pub mod run;
pub mod variant;

use crate::network::{self, Architecture};
use budget::Budget;
use serde::{Deserialize, Serialize};

/// One of the paper's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// The ablation study.
    Table1,
    /// The comparison with other networks.
    Table2,
}

/// One row: a network, and the paper's figures for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// In the paper's words.
    pub name: &'static str,
    /// The network at the budget's size.
    pub architecture: Architecture,
    /// The paper's DSC, %.
    pub paper_dsc: f64,
    /// The paper's IoU, %.
    pub paper_iou: f64,
}

/// The paper's Table 1: DSC and IoU, %, in the order of [`network::ablations`].
const TABLE_1: [[f64; 2]; 7] = [
    [91.87, 93.36],
    [86.18, 87.39],
    [86.08, 85.62],
    [79.93, 82.48],
    [88.69, 89.01],
    [82.95, 83.17],
    [87.23, 86.93],
];
/// The paper's Table 2: DSC and IoU, %, in the order of [`network::baselines`], its own network last.
const TABLE_2: [[f64; 2]; 7] = [
    [83.26, 84.39],
    [85.92, 85.37],
    [84.06, 85.62],
    [78.31, 75.49],
    [82.95, 83.62],
    [87.36, 88.15],
    [91.87, 93.36],
];

impl Table {
    /// `table1` or `table2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table1 => "table1",
            Self::Table2 => "table2",
        }
    }

    /// What it compares.
    pub fn title(self) -> &'static str {
        match self {
            Self::Table1 => "Table 1: the network without each of its modules",
            Self::Table2 => "Table 2: six other networks and the paper's",
        }
    }

    /// The rows, top to bottom, at a budget's size.
    pub fn rows(self, budget: &Budget) -> Vec<Row> {
        let ablations = network::ablations(None);
        let (networks, figures) = match self {
            Self::Table1 => (ablations, TABLE_1),
            Self::Table2 => {
                let own = ablations.into_iter().take(1);
                (network::baselines(None).into_iter().chain(own).collect(), TABLE_2)
            }
        };
        let rows = networks.into_iter().zip(figures);
        rows.map(|((name, published), [paper_dsc, paper_iou])| Row {
            name,
            architecture: budget.narrowed(published),
            paper_dsc,
            paper_iou,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_have_the_papers_rows() {
        let budget = Budget::SMALL;
        let names = |table: Table| table.rows(&budget).iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(
            names(Table::Table1),
            ["Proposed Model", "No FFM", "No SEM", "No ASPP", "No RCBAM", "No RBRAB", "No LPRAB"]
        );
        assert_eq!(
            names(Table::Table2),
            ["U-Net", "U-Net++", "FCN", "SpineGAN", "SegNet", "DeepLabv3+", "Proposed Model"]
        );
    }

    /// 9 of the 13 different rows give an IoU above the DSC, which one pair of masks cannot.
    #[test]
    fn most_of_the_papers_rows_cannot_be_of_one_pair_of_masks() {
        let rows = TABLE_1.iter().chain(&TABLE_2[..6]);
        assert_eq!(rows.filter(|[dsc, iou]| iou > dsc).count(), 9);
    }

    #[test]
    fn a_budget_narrows_every_network_alike() {
        for table in [Table::Table1, Table::Table2] {
            let full = table.rows(&Budget::FULL);
            for (small, full) in table.rows(&Budget::SMALL).iter().zip(full) {
                assert_eq!(small.architecture.width() * 8, full.architecture.width(), "{}", small.name);
                assert_eq!(small.architecture.check(), Ok(()));
            }
        }
    }
}
