"""Trackers: copies of the folders elsewhere, such as in MLflow. The folders are the source of truth."""
