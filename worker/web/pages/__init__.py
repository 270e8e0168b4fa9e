"""The pages that customers read, in Korean and English."""
