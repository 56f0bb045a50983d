"""What the database guest runs besides PostgreSQL."""
