"""Names of tasks in the rows of predictions.csv. Apart from the table, so that a config is checked
without pandas.
"""

TEST = "test"  # name of the fold that holds the unseen test set
TEST_SET = " in the unseen test set"  # what the tasks of its rows end with


def label_task(task: str, label: str) -> str:
    """Name of the task that is one of several labels of a task: "signs: dystonia"."""
    return f"{task}: {label}"
