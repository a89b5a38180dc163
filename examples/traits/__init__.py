"""Does a preference of a teacher reach students that read only numbers of it?"""
