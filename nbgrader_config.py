"""nbgrader on this course: its own folders and formgrader; only grading is made strict."""

from grading.classroom.course_directory import COURSE, scripts_on_path
from grading.journal.place import FILE
from grading.nbgrader_steps.feedback_maths import template_folders
from grading.notebooks import ROOT

scripts_on_path()
c = get_config()  # nbgrader puts this name here

c.CourseDirectory.course_id = COURSE
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
# A learner's journal is their own: `nbgrader submit` leaves it where it is.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", FILE]
# nbgrader's default is a folder of the system, and the formgrader warns where that is missing.
c.Exchange.root = str(ROOT / "exchange")

# A submission is read by the doctor: the notebook that holds the work, under whatever name, mended.
c.Autograde.exporter_class = "grading.nbgrader_steps.healing.HealingExporter"
# The list of nbgrader 0.9.6, with a step of ours for its own and one more. ExecuteToTheEnd: a cell
# that ends its process must not end the grading of a notebook. FailClosed decides what a check cell
# has earned, before ClearMetadata and SaveAutoGrades see it.
c.Autograde.autograde_preprocessors = [
    "grading.nbgrader_steps.execution.ExecuteToTheEnd",
    "nbgrader.preprocessors.IgnorePattern",
    "grading.nbgrader_steps.fail_closed.FailClosed",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# A check limits its own time; this is for the other cells of a notebook.
c.Execute.timeout = 60
# Nothing in a kernel outlives the run; waiting until it has said goodbye took a sixth of the time.
c.Execute.shutdown_kernel = "immediate"
c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]

# nbgrader's feedback and formgrader pages, without the script that they take from another host.
c.HTMLExporter.extra_template_basedirs = template_folders()
c.HTMLExporter.filters = {"maths_scripts": "grading.nbgrader_steps.feedback_maths.maths_scripts"}

# `nbgrader zip_collect softmax` takes files named <learner>_<notebook>.ipynb.
c.FileNameCollectorPlugin.named_regexp = r".*?(?P<student_id>[^/\\_]+)_(?P<file_id>[^/\\]+)\.ipynb$"

# `nbgrader export` says the state beside the score, and leaves blank what has no mark.
c.ExportApp.plugin_class = "grading.report.export.ExportWithStates"

# The formgrader would show these settings on its first page, and warns that it cannot.
c.FormgradeExtension.debug = False
